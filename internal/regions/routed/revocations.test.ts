import { expect, test } from "vitest";
import { BimrideError } from "../../core/errors.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { revocationsContract, signedInOf } from "../../sessions/contract.ts";
import { memoryRevocations } from "../../sessions/kit.ts";
import type { Revocations } from "../../sessions/revocations.ts";
import { routedRevocations } from "./revocations.ts";
import { breakable } from "./test-engines.ts";

const START_MS = 1_700_000_000_000;
const REVOCATION = { ...signedInOf("driver/d1"), untilMs: START_MS + 60_000 };

revocationsContract("a router over the revocations of two regions", async () => {
  const clock = new VirtualClock(START_MS);
  let regions: ReadonlyMap<string, Revocations> | undefined;
  return {
    ...{ clock, shared: true },
    async open(maxRevocations = 1_000) {
      const made = () => memoryRevocations(clock, { maxRevocations });
      regions ??= new Map([
        ["no1", made()],
        ["se1", made()],
      ]);
      return routedRevocations(regions);
    },
    async [Symbol.asyncDispose]() {},
  };
});

function scene() {
  const clock = new VirtualClock(START_MS);
  const gone = new BimrideError("STORE_UNAVAILABLE");
  const west = breakable<Revocations>(memoryRevocations(clock, DEFAULT_LIMITS), gone);
  const east = breakable<Revocations>(memoryRevocations(clock, DEFAULT_LIMITS), gone);
  const failures: unknown[] = [];
  const router = routedRevocations(
    new Map([
      ["no1", west.engine],
      ["se1", east.engine],
    ]),
    { ioClock: clock, onRegionFailed: (error) => failures.push(error) },
  );
  return { west, east, router, failures };
}

test("a revocation is kept in every region, and what any of them tells holds", async () => {
  const { west, east, router } = scene();
  await router.revoke(REVOCATION);
  for (const { engine } of [west, east]) expect(engine.isRevoked(signedInOf("driver/d1"))).toBe(true);
  await east.engine.revoke({ ...REVOCATION, user: "driver/d2" });
  expect(router.isRevoked(signedInOf("driver/d2"))).toBe(true);
});

test("while a region is away a revocation stands by the others, and that is told; with none it is refused", async () => {
  const { west, east, router, failures } = scene();
  west.trouble = "refusing";
  await router.revoke(REVOCATION);
  expect(east.engine.isRevoked(signedInOf("driver/d1"))).toBe(true);
  expect(failures).toHaveLength(1);
  east.trouble = "refusing";
  await expect(router.revoke(REVOCATION)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});
