import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LiveChange, TripLive } from "../core/live.ts";
import { unpackLive } from "../core/packed-live.ts";
import { isRunning } from "../core/trip.ts";
import { compareVersions } from "../core/version.ts";
import { applyChange, isFirst, startLive } from "../live/apply-change.ts";
import { homePartition } from "./home.ts";
import type { PipelineOutput } from "./output.ts";
import { createPartitionState, type PipelineEntry } from "./pipeline.ts";
import { decodeState, encodeState } from "./snapshot.ts";
import { HERE, LIMITS, logOf, nameOf, plain, run, type Step, steps, T0 } from "./test-drives.ts";

const fresh = () => createPartitionState(HERE);
const changesOf = (outs: readonly PipelineOutput[]) => outs.flatMap((out) => out.changes);
const fixesOf = (outs: readonly PipelineOutput[]) => outs.flatMap((out) => out.fixes);

function check(property: (script: Step[]) => void, numRuns = 150): void {
  fc.assert(fc.property(steps, property), { numRuns });
}

/** The changes of each (trip, generation), in order. */
function strands(outs: readonly PipelineOutput[]): LiveChange[][] {
  const found = new Map<string, LiveChange[]>();
  for (const change of changesOf(outs)) {
    const key = `${change.tripId} ${change.version.generation}`;
    found.set(key, [...(found.get(key) ?? []), change]);
  }
  return [...found.values()];
}

describe("the pipeline on any drive", () => {
  test("makes the same states and outputs of the same log, however it is cut by restarts from snapshots", () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat(200), { maxLength: 3 }), (script, cuts) => {
        const log = logOf(script);
        const [one, two] = [fresh(), fresh()];
        const outs = run(one, log);
        expect(run(two, log)).toEqual(outs);
        expect(encodeState(two)).toEqual(encodeState(one));

        const parts: PipelineOutput[] = [];
        let state = fresh();
        for (const to of [...cuts.toSorted((a, b) => a - b), log.length]) {
          parts.push(...run(state, log.slice(parts.length, to)));
          state = decodeState(encodeState(state), LIMITS);
        }
        expect(parts).toEqual(outs);
        expect(encodeState(state)).toEqual(encodeState(one));
      }),
      { numRuns: 100 },
    );
  });

  test("takes an entry that comes again for nothing", () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat(30)), (script, back) => {
        const log = logOf(script);
        const [state, again] = [fresh(), fresh()];
        const outs = run(state, log);
        const replayed = log.map((entry, i) => {
          const [out] = run(again, [entry]);
          const old = log[Math.max(0, i - back.next().value!)]!;
          expect(fixesOf(run(again, [old])).length + changesOf(run(again, [old])).length).toBe(0);
          return out;
        });
        expect(replayed).toEqual(outs);
        expect(encodeState(again)).toEqual(encodeState(state));
      }),
      { numRuns: 60 },
    );
  });

  test("puts every fix out once, whatever order, copies and delays they come with", () => {
    check((script) => {
      const names = (log: PipelineEntry[]) =>
        fixesOf(run(fresh(), log)).map(({ batch, fix }) => nameOf(batch, fix));
      const dirty = names(logOf(script));
      expect(new Set(dirty).size).toBe(dirty.length);
      expect(dirty.toSorted()).toEqual(names(logOf(script.map(plain))).toSorted());
    });
  });

  test("numbers the changes of a trip without a gap and never goes back in time", () => {
    check((script) => {
      for (const strand of strands(run(fresh(), logOf(script)))) {
        let previous = { generation: strand[0]!.version.generation, sequence: 0, index: 0 };
        let shownMs = 0;
        for (const change of strand) {
          expect(change.previous).toEqual(previous);
          expect(compareVersions(change.version, previous)).toBeGreaterThan(0);
          previous = change.version;
          const atMs = change.position?.capturedAtMs ?? Number.POSITIVE_INFINITY;
          expect(atMs).toBeGreaterThan(shownMs);
          if (change.position) shownMs = atMs;
          for (const point of change.latePoints ?? []) expect(point.capturedAtMs).toBeLessThan(shownMs);
        }
        expect(isFirst(strand[0]!)).toBe(true);
        expect(strand[0]!.trip).toBeDefined();
        expect(strand.slice(1).some(isFirst)).toBe(false);
      }
    });
  });

  test("lets a viewer who applies the changes see what it holds itself", () => {
    check((script) => {
      const state = fresh();
      const seen = new Map<string, TripLive>();
      for (const entry of logOf(script)) {
        for (const change of changesOf(run(state, [entry]))) {
          const live = isFirst(change)
            ? startLive(change, LIMITS)
            : applyChange(seen.get(change.tripId)!, change, LIMITS);
          seen.set(change.tripId, live!);
          for (const point of change.latePoints ?? []) expect(live!.trail).toContainEqual(point);
        }
        for (const live of Array.from(state.trips.values(), unpackLive)) {
          const trip = { ...live.trip, version: 0, updatedAtMs: 0 };
          expect(seen.get(live.tripId)).toMatchObject({
            ...live,
            trip: { ...trip, version: expect.anything(), updatedAtMs: expect.anything() },
            trail: live.trail.slice(-LIMITS.maxTrailPoints),
          });
        }
      }
    }, 80);
  });

  test("moves the marker once for every fix in order on a running trip, and for no other", () => {
    check((script) => {
      for (const out of run(fresh(), logOf(script))) {
        const onTrip = out.fixes.filter(
          ({ disposition, tripId }) => disposition === "applied" && tripId !== "",
        );
        expect(out.changes.filter(({ position }) => position)).toMatchObject(
          onTrip.map(({ tripId, atMs, publishedLatDeg, publishedLonDeg }) => ({
            tripId,
            position: { capturedAtMs: atMs, latDeg: publishedLatDeg, lonDeg: publishedLonDeg },
          })),
        );
        for (const { disposition, tripId, publishedLatDeg } of out.fixes)
          if (disposition === "superseded" || tripId === "")
            expect([tripId, publishedLatDeg]).toEqual(["", Number.NaN]);
        const late = out.changes.flatMap(({ latePoints }) => latePoints ?? []);
        const lateAt = out.fixes.filter((fix) => fix.disposition === "late").map(({ atMs }) => atMs);
        for (const point of late) expect(lateAt).toContain(point.capturedAtMs);
        expect(out.parties.length).toBe(
          out.fixes.filter(({ disposition }) => disposition === "applied").length,
        );
      }
    });
  });

  test("keeps what lies before the assignment, after the end or elsewhere out of the trip", () => {
    check((script) => {
      const state = fresh();
      for (const entry of logOf(script)) {
        const before = new Map([...state.trips].map(([id, { trip }]) => [id, trip]));
        const [out] = run(state, [entry]);
        for (const { tripId, atMs, batch } of out!.fixes) {
          if (tripId === "") continue;
          const trip = before.get(tripId)!;
          expect(isRunning(trip) && trip.driverId === batch.party.id).toBe(true);
          expect(atMs).toBeGreaterThanOrEqual(trip.assignments.at(-1)!.fromMs);
        }
        for (const { trip } of state.trips.values())
          expect(homePartition(trip, LIMITS.partitions)).toBe(HERE);
      }
    });
  });

  test("lets the trip's record win over what the fixes say", () => {
    check((script) => {
      const state = fresh();
      const versions = new Map<string, number>();
      for (const entry of logOf(script)) {
        run(state, [entry]);
        const [record] = entry.records;
        if (record?.kind !== "tripChange") continue;
        const { trip } = record;
        if (trip.version <= (versions.get(trip.tripId) ?? 0)) continue;
        versions.set(trip.tripId, trip.version);
        const { status, statusSource, waypointIndex } = trip;
        const held = state.trips.get(trip.tripId)?.trip;
        if (homePartition(trip, LIMITS.partitions) === HERE)
          expect(held).toMatchObject({ status, statusSource, waypointIndex });
        else expect(held).toBeUndefined();
      }
    });
  });

  test("finds phases forward only, and says on which version of the trip", () => {
    check((script) => {
      const state = fresh();
      for (const entry of logOf(script)) {
        for (const { tripId, tripVersion, status, waypointIndex, atMs } of run(state, [entry])[0]!
          .detections) {
          const { trip } = state.trips.get(tripId)!;
          expect(tripVersion).toBe(trip.version);
          expect(atMs).toBeGreaterThan(T0 - 60_000);
          expect(waypointIndex).toBeLessThanOrEqual(trip.waypointIndex);
          expect(status).not.toMatch(/COMPLETE|CANCELED|NEW/);
        }
      }
    }, 60);
  });
});
