import { embeddedPlace } from "./kit/deployment.ts";
import { storySuite } from "./kit/story.ts";

storySuite("on embedded engines", () => embeddedPlace({ regions: 1 }));
storySuite("on embedded engines, in the second of two regions", () => embeddedPlace({ regions: 2 }));
