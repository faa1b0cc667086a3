import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { partitionOf } from "../core/ids.ts";
import { showsRider, type Trip } from "../core/trip.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { applyEdit } from "../trips/state-machine.ts";
import { homePartition } from "./home.ts";
import { createPartitionState, type PipelineEntry } from "./pipeline.ts";
import { decodeState, encodeState } from "./snapshot.ts";
import {
  batchOf,
  CAR,
  CAR_ELSEWHERE,
  fixOf,
  HERE,
  LIMITS,
  OTHER_CAR,
  run,
  T0,
  tripOf,
} from "./test-drives.ts";

const inHere = (name: string) => partitionOf({ kind: "rider", id: name }, LIMITS.partitions) === HERE;
const names = Array.from({ length: 60 }, (_, i) => `rider-${i}`);
const [ANN = "", BOB = ""] = names.filter(inHere);
const [FAR = ""] = names.filter((name) => !inHere(name));
const RIDERS = [ANN, BOB, FAR];

type What =
  | "grant"
  | "withdraw"
  | "accept"
  | "arrive"
  | "start"
  | "cancel"
  | "takeOff"
  | "putOn"
  | "otherDriver"
  | "again"
  | "stale"
  | "fix"
  | "lateFix"
  | "otherSession"
  | "erase";
const what = fc.constantFrom<What>(
  ...([
    "grant",
    "grant",
    "withdraw",
    "accept",
    "accept",
    "arrive",
    "start",
    "cancel",
    "takeOff",
    "putOn",
  ] as const),
  ...(["otherDriver", "again", "stale", "lateFix", "otherSession", "erase"] as const),
  ...(["fix", "fix", "fix", "fix", "fix", "fix", "fix", "fix"] as const),
);
const scripts = fc.array(fc.record({ what, rider: fc.nat(2), gapS: fc.integer({ min: 1, max: 40 }) }), {
  maxLength: 60,
  size: "max",
});
type Script = readonly { what: What; rider: number; gapS: number }[];

const WAYPOINTS: Trip["waypoints"] = tripOf().waypoints;
const newTrip = (count: number, atMs: number, driverId: string): Trip =>
  tripOf({
    ...{ tripId: `got-${String(count).padStart(26, "0")}`, riderIds: [...RIDERS], type: "shared", driverId },
    ...{ createdAtMs: atMs, updatedAtMs: atMs, statusAtMs: atMs },
    assignments: [{ driverId, fromMs: atMs, toMs: 0 }],
    waypoints: [
      { ...WAYPOINTS[0]!, riderId: ANN },
      { ...WAYPOINTS[0]!, riderId: BOB },
      { ...WAYPOINTS[0]!, riderId: "" },
      WAYPOINTS[1]!,
    ],
  });

/** The log of partition HERE, one record an entry: what the trips store and the announcer would bring, and riders' fixes. */
function logOf(script: Script): PipelineEntry[] {
  const entries: PipelineEntry[] = [];
  let atMs = T0;
  let count = 1;
  let trip = newTrip(count, atMs, CAR);
  const versions = [trip];
  const seqs = new Map<string, number>();
  const put = (record: LogRecord) =>
    entries.push({ sequence: entries.length + 1, loggedAtMs: record.receivedAtMs + 2, records: [record] });
  const tell = (news: Trip, before: Trip) => {
    const sharing = [...news.sharingRiderIds, ...before.sharingRiderIds].some(inHere);
    const drove = news.assignments.some(({ driverId }) => [CAR, OTHER_CAR].includes(driverId));
    if (sharing || drove || homePartition(news, LIMITS.partitions) === HERE)
      put({ kind: "tripChange", receivedAtMs: atMs, trip: news });
  };
  const edit = (change: Parameters<typeof applyEdit>[1]) => {
    const result = applyEdit(trip, change);
    if (result.outcome !== "changed") return;
    const before = trip;
    trip = result.trip;
    versions.push(trip);
    tell(trip, before);
  };
  tell(trip, trip);
  for (const step of script) {
    atMs += 1_000 * step.gapS;
    const riderId = RIDERS[step.rider]!;
    const fix = (capturedAtMs: number, session = 0, highSeq?: number) => {
      if (!inHere(riderId)) return;
      const key = `${riderId} ${session}`;
      const seq = highSeq ?? (seqs.get(key) ?? 0) + 1;
      seqs.set(key, Math.max(seq, seqs.get(key) ?? 0));
      const from = { party: { kind: "rider" as const, id: riderId }, sessionId: `session-${session}` };
      put(batchOf(atMs, [fixOf(seq, capturedAtMs, 5 * step.gapS)], { ...from, sessionEpoch: 1 + session }));
    };
    if (step.what === "grant" || step.what === "withdraw")
      edit({ kind: "sharing", riderId, granted: step.what === "grant", atMs });
    else if (step.what === "accept" || step.what === "arrive" || step.what === "start")
      edit({ kind: "action", action: step.what, waypointIndex: undefined, atMs });
    else if (step.what === "cancel") edit({ kind: "cancel", reason: "", atMs });
    else if (step.what === "takeOff")
      edit({ kind: "update", riderIds: trip.riderIds.filter((id) => id !== riderId), atMs });
    else if (step.what === "putOn") edit({ kind: "update", riderIds: [...RIDERS], atMs });
    else if (step.what === "otherDriver")
      edit({ kind: "update", driverId: [CAR, OTHER_CAR, CAR_ELSEWHERE][step.gapS % 3]!, atMs });
    else if (step.what === "again") {
      edit({ kind: "cancel", reason: "", atMs });
      trip = newTrip(++count, atMs, [CAR, CAR_ELSEWHERE][step.gapS % 2]!);
      versions.push(trip);
      tell(trip, trip);
    } else if (step.what === "stale") {
      const old = versions[step.gapS % versions.length]!;
      tell(old, versions[(step.gapS + 1) % versions.length]!);
    } else if (step.what === "fix") fix(atMs - 100);
    else if (step.what === "lateFix") fix(atMs - 3_600_000, 0, seqs.get(`${riderId} 0`) ?? 0);
    else if (step.what === "otherSession") fix(atMs - 200, 1);
    else if (inHere(riderId))
      put({ kind: "erased", receivedAtMs: atMs, party: { kind: "rider", id: riderId } });
  }
  return entries;
}

const check = (property: (script: Script) => void, numRuns = 200) =>
  fc.assert(fc.property(scripts, property), { numRuns });

describe("riders' places in the pipeline", () => {
  test("show exactly the riders of whom the newest version of the trip allows it, and say once when one is gone", () => {
    let places = 0;
    let gone = 0;
    check((script) => {
      const log = logOf(script);
      const outs = run(createPartitionState(HERE), log);
      const newest = new Map<string, Trip>();
      const shown = new Set<string>();
      for (const [i, out] of outs.entries()) {
        const record = log[i]!.records[0]!;
        const known = record.kind === "tripChange" ? newest.get(record.trip.tripId) : undefined;
        if (record.kind === "tripChange" && (known?.version ?? 0) < record.trip.version)
          newest.set(record.trip.tripId, record.trip);
        for (const { tripId, riderId, position, sequence, index } of out.riders) {
          expect({ sequence, index }).toEqual({
            sequence: log[i]!.sequence,
            index: out.riders.findIndex((other) => other.tripId === tripId && other.riderId === riderId),
          });
          const key = `${tripId} ${riderId}`;
          if (position) {
            places++;
            expect(record).toMatchObject({ kind: "fixBatch", party: { kind: "rider", id: riderId } });
            expect(showsRider(newest.get(tripId)!, riderId)).toBe(true);
            expect(out.fixes[0]).toMatchObject({ disposition: "applied", publishedLatDeg: position.latDeg });
            shown.add(key);
          } else {
            gone++;
            expect(shown.delete(key)).toBe(true);
          }
        }
        // Whoever is shown may be shown: nobody stays on a driver's map whom a change has taken the right from.
        for (const key of shown) {
          const [tripId = "", riderId = ""] = key.split(" ");
          expect(showsRider(newest.get(tripId)!, riderId)).toBe(true);
        }
      }
    });
    expect(places).toBeGreaterThan(50);
    expect(gone).toBeGreaterThan(10);
  });

  test("come with each fix that moves the rider's marker while the trip allows it", () => {
    const script: Script = [
      { what: "grant", rider: 0, gapS: 1 },
      { what: "fix", rider: 0, gapS: 1 },
      { what: "accept", rider: 0, gapS: 1 },
      { what: "fix", rider: 0, gapS: 4 },
      { what: "fix", rider: 1, gapS: 4 },
      { what: "fix", rider: 0, gapS: 4 },
      { what: "start", rider: 0, gapS: 4 },
      { what: "arrive", rider: 0, gapS: 4 },
      { what: "start", rider: 0, gapS: 4 },
      { what: "fix", rider: 0, gapS: 4 },
    ];
    const outs = run(createPartitionState(HERE), logOf(script));
    const told = outs.flatMap((out) => out.riders);
    expect(told.map(({ riderId, position }) => [riderId, position !== undefined])).toEqual([
      [ANN, true],
      [ANN, true],
      [ANN, false],
    ]);
  });

  test("are the same after a restart from a snapshot anywhere, and on every replay", () => {
    fc.assert(
      fc.property(scripts, fc.array(fc.nat(100), { maxLength: 3 }), (script, cuts) => {
        const log = logOf(script);
        const whole = createPartitionState(HERE);
        const outs = run(whole, log);
        const parts: ReturnType<typeof run> = [];
        let state = createPartitionState(HERE);
        for (const to of [...cuts.toSorted((a, b) => a - b), log.length]) {
          parts.push(...run(state, log.slice(parts.length, to)));
          state = decodeState(encodeState(state), LIMITS);
        }
        expect(parts).toEqual(outs);
        expect(encodeState(state)).toEqual(encodeState(whole));
      }),
      { numRuns: 100 },
    );
  });

  test("leave the trip's own live state and record to the partitions that it lives and lived in", () => {
    const riding = newTrip(1, T0, CAR_ELSEWHERE);
    const sharing: Trip = { ...riding, version: 2, sharingRiderIds: [ANN], status: "ENROUTE_TO_PICKUP" };
    const record = { kind: "tripChange" as const, receivedAtMs: T0, trip: sharing };
    const [out] = run(createPartitionState(HERE), [{ sequence: 1, loggedAtMs: T0, records: [record] }]);
    expect(out).toMatchObject({ trips: [], changes: [] });
  });

  test("of more trips than are remembered are those of the newest", () => {
    const state = createPartitionState(HERE);
    const trips = Array.from({ length: LIMITS.maxSharedTripsPerRider + 2 }, (_, i) => ({
      ...newTrip(i + 1, T0, CAR_ELSEWHERE),
      ...{ version: 2, sharingRiderIds: [ANN], status: "ENROUTE_TO_PICKUP" as const },
    }));
    const party = { kind: "rider" as const, id: ANN };
    const records: LogRecord[] = trips.flatMap((trip, i) => [
      { kind: "tripChange", receivedAtMs: T0, trip },
      batchOf(T0 + 1_000 * i + 1_000, [fixOf(i, T0 + 1_000 * i + 900, 0)], { party }),
    ]);
    const entries = records.map((record, i) => ({ sequence: i + 1, loggedAtMs: T0, records: [record] }));
    const outs = run(state, entries);
    const last = outs.at(-1)!.riders.map(({ tripId }) => tripId);
    expect(last).toEqual(trips.slice(-LIMITS.maxSharedTripsPerRider).map(({ tripId }) => tripId));
    // Old news of one that was forgotten does not bring it back.
    const again = batchOf(T0 + 60_000, [fixOf(99, T0 + 59_000, 0)], { party });
    const stale: LogRecord[] = [{ kind: "tripChange", receivedAtMs: T0 + 60_000, trip: trips[0]! }, again];
    const [, shown] = run(
      state,
      stale.map((record, i) => ({ sequence: entries.length + 1 + i, loggedAtMs: T0, records: [record] })),
    );
    expect(shown?.riders.map(({ tripId }) => tripId)).toEqual(last);
    const gone = outs.flatMap(({ riders }) => riders).filter(({ position }) => !position);
    expect(gone.map(({ tripId }) => tripId)).toEqual(trips.slice(0, 2).map(({ tripId }) => tripId));
  });

  test("are forgotten some time after the trip's end", () => {
    const trip = { ...newTrip(1, T0, CAR_ELSEWHERE), version: 2, sharingRiderIds: [ANN] };
    const over: Trip = { ...trip, version: 3, status: "CANCELED", endedAtMs: T0 + 1_000 };
    const later = T0 + LIMITS.liveAfterEndMs + 120_000;
    const records: LogRecord[] = [
      { kind: "tripChange", receivedAtMs: T0, trip },
      { kind: "tripChange", receivedAtMs: T0 + 1_000, trip: over },
      { kind: "tick", receivedAtMs: later },
    ];
    const state = createPartitionState(HERE);
    const entries = records.map((record, i) => ({ sequence: i + 1, loggedAtMs: T0, records: [record] }));
    run(state, entries.slice(0, 2));
    expect(state.shares.size).toBe(1);
    run(state, entries.slice(2));
    expect(state.shares.size + state.sharersOf.size).toBe(0);
  });
});
