import { describe, expect, test } from "vitest";
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
    );
    for (let i = 0; i < 5; i++) proposer.offer(detection(i));
    await proposer.idle();
    expect(seen).toEqual([0, 1, 2, 3, 4]);
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
    );
    proposer.offer(detection(0));
    proposer.offer(detection(1));
    await proposer.idle();
    expect({ failed, seen }).toEqual({ failed: [0], seen: [1] });
  });

  test("its queue is bounded: the oldest is given up and told", async () => {
    const failed: number[] = [];
    const gate = Promise.withResolvers<void>();
    const proposer = createProposer(
      () => gate.promise,
      ({ waypointIndex }) => failed.push(waypointIndex),
    );
    for (let i = 0; i < 10_002; i++) proposer.offer(detection(i));
    gate.resolve();
    await proposer.idle();
    expect(failed).toEqual([1]);
  });
});
