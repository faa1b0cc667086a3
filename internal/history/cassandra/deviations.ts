import type { Deviation } from "../contract.ts";

/** Where the Cassandra history is not as the contract says, and why. */
export const DEVIATIONS: readonly Deviation[] = [
  {
    reason: "rows leave by their TTL, `trim` does nothing: finding old rows would take a scan of the table",
    tests: ["trim removes what was captured before, and nothing else"],
  },
];
