import { MemoryLatest } from "../latest/memory/memory-latest.ts";
import { rebuildLatestSuite } from "./latest-suite.ts";

rebuildLatestSuite("the embedded engines", async ({ log, clock }) => ({
  log,
  latest: new MemoryLatest(clock),
  lost: new MemoryLatest(clock),
  now: () => clock.now(),
  [Symbol.asyncDispose]: async () => {},
}));
