import fc from "fast-check";
import { type Fix, type FixBatch, type Party, partyKey } from "../core/fix.ts";
import { destination } from "../core/geo.ts";
import { partitionOf } from "../core/ids.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { isRunning, statusAt, type Trip } from "../core/trip.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { homePartition } from "./home.ts";
import { PipelineOutput } from "./output.ts";
import { type PipelineEntry, processEntry } from "./pipeline.ts";
import type { PartitionState } from "./state.ts";

/** Generated drives for tests: a car goes east, its trip goes on, the network and the clock do what they do. */
export const T0 = 1_700_000_000_000;
export const LIMITS = { ...DEFAULT_LIMITS, partitions: 4, maxTrailPoints: 8 };
const PLACE = { latDeg: 57.7, lonDeg: 11.97 };

const names = Array.from({ length: 60 }, (_, i) => `driver-${i}`);
const inPartition = (home: number) =>
  names.filter((id) => partitionOf({ kind: "driver", id }, LIMITS.partitions) === home);
/** Two drivers of the partition that the tests watch, and one of another. */
export const HERE = 2;
export const [CAR = "", OTHER_CAR = ""] = inPartition(HERE);
export const [CAR_ELSEWHERE = ""] = inPartition(3);

export const east = (metres: number) => destination(PLACE.latDeg, PLACE.lonDeg, 90, Math.max(0, metres));

export function fixOf(seq: number, capturedAtMs: number, metres: number, fields: Partial<Fix> = {}): Fix {
  return {
    ...{ seq, capturedAtMs, ...east(metres), accuracyM: 5, speedMps: 10, headingDeg: 90 },
    ...{ altitudeM: Number.NaN, source: "gnss" as const, mock: false, ...fields },
  };
}

export function batchOf(receivedAtMs: number, fixes: Fix[], fields: Partial<FixBatch> = {}): LogRecord {
  const party: Party = { kind: "driver", id: CAR };
  const session = { sessionId: "session-0", sessionEpoch: 1 };
  return { kind: "fixBatch", party, ...session, receivedAtMs, clockOffsetMs: 0, fixes, ...fields };
}

const tripIdOf = (count: number) => `got-${String(count).padStart(26, "0")}`;

export function tripOf(fields: Partial<Trip> = {}): Trip {
  return {
    ...{ tripId: tripIdOf(1), region: "got", type: "exclusive", version: 1, generation: 1, status: "NEW" },
    ...{ statusSource: "explicit", statusAtMs: T0, waypointIndex: 0, riderIds: ["rider-1"], driverId: CAR },
    sharingRiderIds: [],
    waypoints: [
      { kind: "pickup", position: east(600), riderId: "", label: "" },
      { kind: "dropoff", position: east(1_500), riderId: "", label: "" },
    ],
    ...{ plannedPath: [], createdAtMs: T0, updatedAtMs: T0, endedAtMs: 0, cancelReason: "" },
    assignments: [{ driverId: CAR, fromMs: T0, toMs: 0 }],
    ...fields,
  };
}

type TripStep = "press" | "handOver" | "moveAway" | "end" | "repeat" | "again";
export type Step = {
  gapS: number;
  count: number;
  jumpM: number;
  delaysS: number[];
  session: number;
  clockStepS: number;
  trip: TripStep | "none";
  device: "none" | "state" | "opened" | "closed";
};

/** The first of the values `times` times as often as each other. */
const mostly = <Value>(times: number, usual: Value, ...others: Value[]): fc.Arbitrary<Value> =>
  fc.constantFrom(...Array.from({ length: times }, () => usual), ...others);

/** What happens in a drive, step by step; each step brings up to three fixes that arrive with each of the delays. */
export const steps = fc.array(
  fc.record<Step>({
    gapS: fc.integer({ min: 1, max: 5 }),
    count: fc.integer({ min: 0, max: 3 }),
    jumpM: mostly(12, 0, 400),
    delaysS: fc.array(mostly(4, 0, 1, 7, 40, 200), { minLength: 1, maxLength: 2 }),
    session: mostly(40, 0, 1, 2),
    clockStepS: mostly(40, 0, -45, 30),
    trip: mostly<TripStep | "none">(
      60,
      "none",
      "press",
      "press",
      "handOver",
      "moveAway",
      "end",
      "repeat",
      "again",
    ),
    device: mostly<Step["device"]>(12, "none", "state", "opened", "closed"),
  }),
  { minLength: 1, maxLength: 50, size: "max" },
);

/** The drive without what makes one delivery differ from another. */
export const plain = (step: Step): Step => ({ ...step, delaysS: [0] });

type Delivery = { atMs: number; record: LogRecord };

/** The log of partition HERE that the steps make, one record an entry, sequences from 1. */
export function logOf(script: readonly Step[]): PipelineEntry[] {
  const deliveries: Delivery[] = [];
  const put = (atMs: number, record: LogRecord) => deliveries.push({ atMs, record });
  const seqs = [0, 0, 0];
  const drive = new TripScript();
  let atMs = T0 + 1_000;
  let clockMs = 0;
  put(T0, { kind: "tripChange", receivedAtMs: T0, trip: drive.trip });
  for (const step of script) {
    atMs += 1_000 * step.gapS;
    clockMs += 1_000 * step.clockStepS;
    const party: Party = { kind: "driver", id: drive.driver };
    const session = { party, sessionId: `session-${step.session}`, sessionEpoch: 1 + step.session };
    if (step.trip !== "none")
      put(atMs, { kind: "tripChange", receivedAtMs: atMs, trip: drive.go(step.trip, atMs) });
    if (step.device === "state")
      put(atMs, {
        kind: "deviceState",
        ...session,
        receivedAtMs: atMs,
        state: { batteryPercent: step.gapS },
      });
    else if (step.device !== "none") {
      const about = {
        deviceId: "phone",
        appVersion: "1",
        transport: "grpc",
        closed: step.device === "closed",
        lost: step.device === "closed" && step.session === 0,
      };
      put(atMs, { kind: "sessionOpened", ...session, receivedAtMs: atMs, ...about });
    }
    const fixes = Array.from({ length: step.count }, (_, i) => {
      const capturedMs = atMs - 200 * (step.count - 1 - i);
      const metres = (capturedMs - T0) / 100 + step.jumpM;
      const seq = seqs[step.session]!++;
      return fixOf(seq, capturedMs + clockMs, metres, { mock: seq % 5 === 3 });
    });
    for (const delayS of fixes.length > 0 ? step.delaysS : [])
      put(atMs + 1_000 * delayS, batchOf(atMs + 1_000 * delayS + 50, fixes, session));
  }
  deliveries.sort((a, b) => a.atMs - b.atMs);
  return deliveries.map(({ record }, i) => ({
    sequence: i + 1,
    loggedAtMs: record.receivedAtMs + 2,
    records: [record],
  }));
}

/** A trip and what people do with it. */
class TripScript {
  trip = tripOf();
  /** The one whose phone sends. */
  driver = CAR;
  #count = 1;

  go(what: TripStep, atMs: number): Trip {
    const before = this.trip;
    if (what === "repeat") return before;
    if (what === "again" || !isRunning(before)) return this.#again(atMs);
    if (what === "press") return this.#change(before, atMs, pressed(before, atMs));
    if (what === "end")
      return this.#change(before, atMs, {
        ...{ status: "COMPLETE", statusAtMs: atMs, waypointIndex: 2, endedAtMs: atMs },
        assignments: closed(before, atMs),
      });
    const driverId = what === "moveAway" ? CAR_ELSEWHERE : before.driverId === CAR ? OTHER_CAR : CAR;
    if (homePartition({ ...before, driverId }, LIMITS.partitions) === HERE) this.driver = driverId;
    const assignments = [...closed(before, atMs), { driverId, fromMs: atMs, toMs: 0 }];
    return this.#change(before, atMs, { generation: before.generation + 1, driverId, assignments });
  }

  #again(atMs: number): Trip {
    const tripId = tripIdOf(++this.#count);
    const assignments = [{ driverId: this.driver, fromMs: atMs, toMs: 0 }];
    this.trip = tripOf({ tripId, driverId: this.driver, statusAtMs: atMs, updatedAtMs: atMs, assignments });
    return this.trip;
  }

  #change(before: Trip, atMs: number, fields: Partial<Trip>): Trip {
    const source = { statusSource: "explicit" as const, version: before.version + 1, updatedAtMs: atMs };
    this.trip = { ...before, ...source, ...fields };
    return this.trip;
  }
}

const closed = (trip: Trip, toMs: number) =>
  trip.assignments.map((span) => (span.toMs === 0 ? { ...span, toMs } : span));

function pressed(trip: Trip, atMs: number): Partial<Trip> {
  const stage =
    trip.status === "NEW" ? 0 : 2 * trip.waypointIndex + (trip.status.startsWith("ARRIVED") ? 2 : 1);
  const next = Math.min(stage, 3);
  const status = statusAt(trip.waypoints[next >> 1]!.kind, next % 2 === 1);
  return { status, waypointIndex: next >> 1, statusAtMs: atMs };
}

/** What each of the entries yields, as copies: the pipeline goes on changing some of it. */
export function run(state: PartitionState, entries: readonly PipelineEntry[]): PipelineOutput[] {
  return entries.map((entry) => {
    const out = new PipelineOutput();
    processEntry(state, entry, LIMITS, out);
    return structuredClone(out) as PipelineOutput;
  });
}

/** A fix by what it is known by. */
export const nameOf = ({ party, sessionId }: FixBatch, { seq }: Fix) =>
  `${partyKey(party)} ${sessionId} ${seq}`;
