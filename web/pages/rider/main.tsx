import { render } from "preact";
import { RiderPage } from "./rider-page.tsx";

const tripId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
render(<RiderPage tripId={tripId} />, document.getElementById("app")!);
