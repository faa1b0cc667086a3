import { render } from "preact";
import { DriverPage } from "./driver-page.tsx";
import { takeInvitation } from "./invitation.ts";

render(<DriverPage invitation={takeInvitation()} />, document.getElementById("app")!);
