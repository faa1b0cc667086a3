import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LiveChange, TripLive } from "../core/live.ts";
import { applyChange, isFirst, startLive } from "./apply-change.ts";
import { conflate, enqueue } from "./conflate.ts";
import { ChangeMaker, positionAt, tripOf } from "./kit.ts";
import { trailPointOf } from "./trail.ts";

const LIMITS = { maxTrailPoints: 4, liveAfterEndMs: 1_000 };
const TRIP = "se1-00000000000000000000000000";

type Step = {
  moves: boolean;
  late: number[];
  event: "none" | "status" | "generation" | "end";
  device: boolean;
};

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    moves: fc.boolean(),
    late: fc.array(fc.nat(20), { maxLength: LIMITS.maxTrailPoints }),
    event: fc.constantFrom("none", "none", "none", "status", "generation", "end"),
    device: fc.boolean(),
  }),
  { minLength: 1, maxLength: 30 },
);

/** Changes as the pipeline makes them: positions go on in time, late points lie before them. */
function changesOf(script: Step[]): LiveChange[] {
  const maker = new ChangeMaker(TRIP);
  const changes = [maker.begin()];
  let timeMs = 0;
  let generation = 1;
  for (const step of script) {
    if (step.moves) timeMs += 10;
    const content = {
      ...(step.moves ? { position: positionAt(timeMs) } : {}),
      ...(step.late.length > 0
        ? { latePoints: step.late.map((back) => trailPointOf(positionAt(timeMs - 3 * back))) }
        : {}),
      ...(step.device
        ? { device: { state: {}, connected: true, lost: false, mockFix: false, atMs: timeMs } }
        : {}),
      ...(step.event === "status" ? { trip: tripOf(TRIP, generation, "ARRIVED_AT_PICKUP") } : {}),
      ...(step.event === "end" ? { trip: tripOf(TRIP, generation, "COMPLETE", timeMs + 1) } : {}),
    };
    if (step.event === "generation") changes.push(maker.begin(tripOf(TRIP, ++generation)));
    else changes.push(maker.next(content));
  }
  return changes;
}

function applyAll(live: TripLive, changes: readonly LiveChange[]): TripLive {
  return changes.reduce((state, change) => applyChange(state, change, LIMITS), live);
}

describe("conflation", () => {
  it("does in one change what all of them do in order", () => {
    fc.assert(
      fc.property(steps, (script) => {
        const [first, ...rest] = changesOf(script);
        const live = startLive(first!, LIMITS)!;
        const merged = rest.reduce((a, b) => conflate(a, b, LIMITS));
        expect(applyChange(live, merged, LIMITS)).toEqual(applyAll(live, rest));
        if (!isFirst(merged)) expect(merged.previous).toEqual(live.version);
        expect(merged.latePoints?.length ?? 0).toBeLessThanOrEqual(LIMITS.maxTrailPoints);
      }),
      { numRuns: 1_000 },
    );
  });

  it("keeps every event in a queue, in order, and the queue small", () => {
    fc.assert(
      fc.property(steps, (script) => {
        const [first, ...rest] = changesOf(script);
        const live = startLive(first!, LIMITS)!;
        const queue: LiveChange[] = [];
        for (const change of rest) enqueue(queue, change, LIMITS);
        expect(applyAll(live, queue)).toEqual(applyAll(live, rest));
        const events = rest.filter((change) => change.trip).map((change) => change.trip);
        expect(queue.flatMap((change) => change.trip ?? [])).toEqual(events);
        expect(queue.length).toBeLessThanOrEqual(Math.max(1, events.length));
        const points = queue.reduce((sum, change) => sum + (change.latePoints?.length ?? 0), 0);
        expect(points).toBeLessThanOrEqual(LIMITS.maxTrailPoints);
        let version = live.version;
        for (const change of queue) {
          if (!isFirst(change)) expect(change.previous).toEqual(version);
          version = change.version;
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("turns an overtaken position into a late point, so that the trail has no gap", () => {
    const maker = new ChangeMaker(TRIP);
    maker.begin();
    const merged = conflate(maker.move(10), maker.move(20), LIMITS);
    expect(merged).toMatchObject({
      position: { capturedAtMs: 20 },
      latePoints: [trailPointOf(positionAt(10))],
    });
  });
});

describe("applyChange", () => {
  it("touches neither the state before nor what did not change", () => {
    const maker = new ChangeMaker(TRIP);
    const live = applyChange(startLive(maker.begin(), LIMITS)!, maker.move(10), LIMITS);
    const before = JSON.stringify(live);
    const next = applyChange(live, maker.move(20), LIMITS);
    expect(JSON.stringify(live)).toBe(before);
    expect(next.trip).toBe(live.trip);
    expect(next.trail).toHaveLength(2);
  });

  it("begins anew with a generation, and ends live access a while after the trip", () => {
    const maker = new ChangeMaker(TRIP);
    const live = applyChange(startLive(maker.begin(), LIMITS)!, maker.move(10), LIMITS);
    const anew = applyChange(live, maker.begin(tripOf(TRIP, 2)), LIMITS);
    expect(anew).toMatchObject({ position: undefined, trail: [], device: undefined, dropAtMs: 0 });
    const over = applyChange(anew, maker.next({ trip: tripOf(TRIP, 2, "COMPLETE", 500) }), LIMITS);
    expect(over.dropAtMs).toBe(1_500);
  });

  it("starts from the first change of a generation only", () => {
    const maker = new ChangeMaker(TRIP);
    expect(startLive(maker.begin(), LIMITS)?.trip.tripId).toBe(TRIP);
    expect(startLive(maker.move(10), LIMITS)).toBeUndefined();
  });
});
