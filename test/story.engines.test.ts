import { realPlace } from "./kit/deployment.ts";
import { storySuite } from "./kit/story.ts";

storySuite("on real engines", () => realPlace({ regions: 1, processors: 1 }));
storySuite("on real engines with three processors", () => realPlace({ regions: 1, processors: 3 }), {
  recorded: false,
});
storySuite("on real engines in two regions", () => realPlace({ regions: 2, processors: 1 }), {
  recorded: false,
});
storySuite("on real engines in two regions with three processors each", () =>
  realPlace({ regions: 2, processors: 3 }),
);
