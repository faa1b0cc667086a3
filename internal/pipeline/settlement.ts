import { type Party, partyKey } from "../core/fix.ts";
import { fromE7, toE7 } from "../core/geo.ts";
import type { Limits } from "../core/limits.ts";
import type { Trip } from "../core/trip.ts";
import type { FinalPoint, RecordedFix, TripFinal } from "../history/history.ts";
import { drivenM } from "./settlement-distance.ts";
import { mainSequence, timeOf } from "./settlement-fixes.ts";
import { courseOf, type Drive, type DrivePoint } from "./settlement-phases.ts";
import type { Mark } from "./settlement-statuses.ts";
import { smooth } from "./smoother.ts";
import { SMOOTHER_TUNING } from "./smoother-tuning.ts";

/** A status that was recorded of the trip. */
export type RecordedStatus = Mark;

/** What was recorded of a party for the trip, in any order, copies allowed. */
export type RecordedTrack = { party: Party; fixes: readonly RecordedFix[] };

type Settled = { party: Party; points: DrivePoint[]; track: FinalPoint[] };

/**
 * The final record of a trip: a pure function of the trip, the set of fixes and the set of statuses, whatever the order,
 * the copies and the delays they came with. `revision` and `settledAtMs` are left 0 for the caller to stamp.
 *
 * - Only fixes that belong to the trip: a driver's from their assignments, a rider's from the first assignment on (the
 *   creation, while there is none), both up to the trip's end.
 * - Per party one sequence of sessions (mainSequence); fixes of superseded sessions are left out of the track. They stay in
 *   the raw history.
 * - Smoothed with the future known (smooth); a fix that does not fit is in the track at its smoothed place.
 * - Phases from the driver's final track and what people said, which wins (courseOf). `approachM` is driven by the driver who came
 *   to the pickup, from their assignment to the arrival there (to the end, if there was none); `distanceM` from leaving
 *   the pickup to the end, by all drivers.
 */
export function settle(
  trip: Trip,
  tracks: readonly RecordedTrack[],
  limits: Limits,
  statuses: readonly RecordedStatus[] = [],
): TripFinal {
  const endMs = endOf(trip, tracks);
  const settled = merged(tracks)
    .map(({ party, fixes }) => settleParty(trip, party, fixes, endMs, limits))
    .sort((a, b) => (partyKey(a.party) < partyKey(b.party) ? -1 : 1));
  const drives = drivesOf(trip, settled, endMs);
  const course = courseOf(trip, drives, endMs, statuses);
  const arrivedAtMs = Number.isNaN(course.arrivedAtMs) ? endMs : course.arrivedAtMs;
  return {
    tripId: trip.tripId,
    revision: 0,
    settledAtMs: 0,
    distanceM: Number.isNaN(course.leftAtMs) ? 0 : sumM(drives, course.leftAtMs, endMs),
    approachM: Number.isNaN(course.assignedAtMs) ? 0 : sumM(drives, course.assignedAtMs, arrivedAtMs),
    phases: course.phases,
    track: settled.flatMap(({ track }) => track),
  };
}

/** The trip's end; of one that still runs the last that is known of it. */
function endOf(trip: Trip, tracks: readonly RecordedTrack[]): number {
  if (trip.endedAtMs > 0) return trip.endedAtMs;
  let endMs = Math.max(trip.statusAtMs, ...trip.assignments.map((span) => Math.max(span.fromMs, span.toMs)));
  for (const { fixes } of tracks) for (const fix of fixes) endMs = Math.max(endMs, timeOf(fix));
  return endMs;
}

/** One track per party. */
function merged(tracks: readonly RecordedTrack[]): RecordedTrack[] {
  const byParty = new Map<string, { party: Party; fixes: RecordedFix[] }>();
  for (const { party, fixes } of tracks) {
    const known = byParty.get(partyKey(party));
    if (known) known.fixes = known.fixes.concat(fixes);
    else byParty.set(partyKey(party), { party, fixes: [...fixes] });
  }
  return [...byParty.values()];
}

function settleParty(
  trip: Trip,
  party: Party,
  recorded: readonly RecordedFix[],
  endMs: number,
  limits: Limits,
): Settled {
  const spans = spansOf(trip, party, endMs);
  const own = recorded.filter((fix) =>
    spans.some((span) => timeOf(fix) >= span.fromMs && timeOf(fix) <= span.toMs),
  );
  const { fixes, times } = mainSequence(own, limits.lostAfterMs);
  const smoothed = smooth(fixes, times, { ...SMOOTHER_TUNING, gapS: limits.lostAfterMs / 1000 });
  const points: DrivePoint[] = [];
  const track: FinalPoint[] = [];
  for (const [i, fix] of fixes.entries()) {
    const latDeg = fromE7(toE7(smoothed.latDeg[i]!));
    const lonDeg = fromE7(toE7(smoothed.lonDeg[i]!));
    const { sessionId, seq, capturedAtMs, clockOffsetMs, receivedAtMs } = fix;
    track.push({ party, sessionId, seq, capturedAtMs, clockOffsetMs, receivedAtMs, latDeg, lonDeg });
    points.push({
      latDeg,
      lonDeg,
      speedMps: smoothed.speedMps[i]!,
      speedSigmaMps: smoothed.speedSigmaMps[i]!,
      accuracyM: smoothed.accuracyM[i]!,
      outlier: smoothed.outlier[i] === 1,
      atMs: times[i]!,
    });
  }
  return { party, points, track };
}

/** When the party's fixes belong to the trip. */
function spansOf(trip: Trip, party: Party, endMs: number): { fromMs: number; toMs: number }[] {
  if (party.kind === "rider")
    return [{ fromMs: trip.assignments[0]?.fromMs ?? trip.createdAtMs, toMs: endMs }];
  return trip.assignments
    .filter((span) => span.driverId === party.id)
    .map((span) => ({ fromMs: span.fromMs, toMs: span.toMs === 0 ? endMs : Math.min(span.toMs, endMs) }));
}

function drivesOf(trip: Trip, settled: readonly Settled[], endMs: number): Drive[] {
  return trip.assignments.map(({ driverId, fromMs, toMs: closedMs }) => {
    const toMs = closedMs === 0 ? endMs : Math.min(closedMs, endMs);
    const of = settled.find(({ party }) => party.kind === "driver" && party.id === driverId);
    const points = of?.points.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs) ?? [];
    return { driverId, fromMs, toMs, points };
  });
}

/** Metres driven by all drivers between two times, to the decimetre. */
function sumM(drives: readonly Drive[], fromMs: number, toMs: number): number {
  let metres = 0;
  for (const { points } of drives) metres += drivenM(points, fromMs, toMs);
  return Math.round(metres * 10) / 10;
}
