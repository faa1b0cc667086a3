import { render } from "preact";
import { LandingPage } from "./landing-page.tsx";

render(<LandingPage />, document.getElementById("app")!);
