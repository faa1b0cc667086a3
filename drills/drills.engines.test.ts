import { expect, test } from "vitest";
import { checkerPlants } from "./checker-plants.ts";
import type { DrillArgs } from "./drill.ts";
import { killGateway } from "./kill-gateway.ts";

const DRILL_MS = 300_000;
const args: DrillArgs = { rate: 20, viewers: 10, seed: 1, kills: 1, keep: undefined };

test(
  "the checker finds what was planted in a running deployment: a loss, a duplicate, a second owner, a regression",
  async () => {
    await using owned = new AsyncDisposableStack();
    const result = await checkerPlants.run({ args, owned, log: () => undefined });
    expect(result.problems).toEqual([]);
    expect(result).toMatchObject({ missing: 0, duplicated: 0, wentBack: 0, owners2: 0, ok: true });
    expect(result.measured).toMatchObject({ plantedLossMissing: 1, plantedDuplicates: 1, plantedOwners2: 1 });
  },
  DRILL_MS,
);

test(
  "a drill ends well under a small load: a gateway is killed and nothing acked is lost",
  async () => {
    await using owned = new AsyncDisposableStack();
    const result = await killGateway.run({ args, owned, log: () => undefined });
    expect(result).toMatchObject({ missing: 0, duplicated: 0, wentBack: 0, owners2: 0, unacked: 0 });
    expect(result.acked).toBeGreaterThan(100);
    expect(result.pid).toBeGreaterThan(0);
  },
  DRILL_MS,
);
