import { gapSuite } from "./gaps-suite.ts";

gapSuite("the SQLite log", async ({ log, clock }) => ({
  log,
  timePasses: async () => clock.advanceTo(clock.now() + 1_000),
  [Symbol.asyncDispose]: async () => {},
}));
