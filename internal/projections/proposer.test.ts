import { describe, expect, test } from "vitest";
import { BimrideError } from "../core/errors.ts";
import { systemClock } from "../core/time.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { Detection } from "../pipeline/output.ts";
import { createProposer } from "./proposer.ts";

const detection = (waypointIndex: number): Detection => ({
  tripId: "local-00000000000000000000000000",
  tripVersion: 1,
  status: "ENROUTE_TO_PICKUP",
  waypointIndex,
  atMs: waypointIndex,
});

describe("the proposer", () => {
  test("proposes in order, one at a time", async () => {
    const seen: number[] = [];
    let open = 0;
    const proposer = createProposer(
      async ({ waypointIndex }) => {
        open++;
        expect(open).toBe(1);
        await Promise.resolve();
        seen.push(waypointIndex);
        open--;
      },
      () => {},
      systemClock,
    );
    for (let i = 0; i < 5; i++) proposer.offer(detection(i));
    await proposer.idle();
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  test("a trip whose proposal takes long does not hold up the others", async () => {
    const slow = Promise.withResolvers<void>();
    const seen = new Set<string>();
    const proposer = createProposer(
      async ({ tripId }) => {
        if (tripId === "trip-0") await slow.promise;
        seen.add(tripId);
      },
      () => {},
      systemClock,
    );
    for (let i = 0; i < 40; i++) proposer.offer({ ...detection(0), tripId: `trip-${i}` });
    while (seen.size < 25) await new Promise((resolve) => setImmediate(resolve));
    expect(seen).not.toContain("trip-0");
    expect(proposer.waiting).toBeGreaterThan(0);
    slow.resolve();
    await proposer.idle();
    expect(seen.size).toBe(40);
    expect(proposer.waiting).toBe(0);
  });

  test("a failure is told and does not stop the rest", async () => {
    const failed: number[] = [];
    const seen: number[] = [];
    const proposer = createProposer(
      async ({ waypointIndex }) => {
        if (waypointIndex === 0) throw new Error("store away");
        seen.push(waypointIndex);
      },
      ({ waypointIndex }) => failed.push(waypointIndex),
      systemClock,
    );
    proposer.offer(detection(0));
    proposer.offer(detection(1));
    await proposer.idle();
    expect({ failed, seen }).toEqual({ failed: [0], seen: [1] });
  });

  test("while the store is away everything waits, in order, and goes when it is back", async () => {
    const clock = new VirtualClock(0);
    const seen: number[] = [];
    let away = true;
    let tries = 0;
    const proposer = createProposer(
      async ({ waypointIndex }) => {
        tries++;
        if (away) throw new BimrideError("STORE_UNAVAILABLE");
        seen.push(waypointIndex);
      },
      () => expect.unreachable("nothing is given up"),
      clock,
    );
    for (let i = 0; i < 3; i++) proposer.offer(detection(i));
    await expect
      .poll(() => {
        clock.advanceTo(clock.now() + 1_000);
        return tries;
      })
      .toBeGreaterThan(2);
    away = false;
    await expect
      .poll(() => {
        clock.advanceTo(clock.now() + 1_000);
        return seen;
      })
      .toEqual([0, 1, 2]);
  });

  test("an end while the store is away takes one more try, and tells of all that is given up", async () => {
    const failed: number[] = [];
    const tried: number[] = [];
    const proposer = createProposer(
      async ({ waypointIndex }) => {
        tried.push(waypointIndex);
        throw new BimrideError("STORE_UNAVAILABLE");
      },
      ({ waypointIndex }) => failed.push(waypointIndex),
      new VirtualClock(0),
    );
    for (let i = 0; i < 3; i++) proposer.offer(detection(i));
    await expect.poll(() => tried.length).toBe(1);
    await proposer.idle();
    expect({ tried, failed }).toEqual({ tried: [0, 0], failed: [0, 1, 2] });
  });

  test("its queue is bounded: the oldest is given up and told", async () => {
    const failed: number[] = [];
    const gate = Promise.withResolvers<void>();
    const proposer = createProposer(
      () => gate.promise,
      ({ waypointIndex }) => failed.push(waypointIndex),
      systemClock,
    );
    for (let i = 0; i < 2_502; i++) proposer.offer(detection(i));
    gate.resolve();
    await proposer.idle();
    expect(failed).toEqual([1]);
  });
});
