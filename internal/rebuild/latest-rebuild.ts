import { isDeepStrictEqual } from "node:util";
import type { Limits } from "../core/limits.ts";
import type { TripLive } from "../core/live.ts";
import type { PackedLive } from "../core/packed-live.ts";
import { compareVersions } from "../core/version.ts";
import type { Latest, LatestParty } from "../latest/latest.ts";
import { latestParties } from "../pipeline/latest-parties.ts";
import { patiently } from "./patient.ts";
import { type Asked, iso, rangeOf } from "./range.ts";
import type { RebuildDeps } from "./rebuild-deps.ts";
import { type Replayed, replay } from "./replay.ts";
import { noCounts, type PartCounts, type RebuildReport, totalOf } from "./report.ts";

/** Looked up in the store at a time. */
const LOOKUPS_AT_ONCE = 100;

export type LatestRebuildDeps = RebuildDeps & { latest: Latest };

/**
 * Makes the latest state hold what the log says at its end: a party or trip that it lacks, or has older, is written. Where
 * it is newer its owner went on meanwhile. What it has of the same fix or version and otherwise is counted, and a party
 * written; a trip with the same version can't be written over.
 *
 * It owns no partition, so it writes under a fence of its own (a number beyond all partitions): it neither needs the
 * owner's epoch nor fences the owner out, and that newest wins keeps it from taking anything back.
 * @throws RebuildError
 */
export async function rebuildLatest(
  deps: LatestRebuildDeps,
  asked: Asked,
  dryRun: boolean,
): Promise<RebuildReport> {
  const { log, limits, clock } = deps;
  const startedMs = clock.monotonic();
  const range = await rangeOf(log, asked, limits, clock.now(), 0);
  const replayed = await replay(
    deps,
    { readFromMs: range.readFromMs, untilMs: range.toMs },
    () => {},
    async () => {},
  );
  const parts = Array.from({ length: log.partitions }, noCounts);
  for (const at of replayed) {
    const counts = parts[at.state.partition]!;
    counts.entriesRead = at.entriesRead;
    await fill(deps, at, dryRun, counts);
  }
  return {
    ...{ schema: "bimride.rebuild/1" as const, region: log.region, projection: "latest" as const, dryRun },
    ...{ from: iso(Math.max(range.fromMs, range.logBeginsMs)), to: iso(range.toMs) },
    ...{ readFrom: iso(range.readFromMs), logBegins: iso(range.logBeginsMs), notes: [] },
    partitions: parts.map((part, partition) => ({ partition, ...part })),
    total: totalOf(parts),
    tookMs: Math.round(clock.monotonic() - startedMs),
  };
}

async function fill(
  deps: LatestRebuildDeps,
  { state }: Replayed,
  dryRun: boolean,
  counts: PartCounts,
): Promise<void> {
  const { latest, clock, limits } = deps;
  const nowMs = clock.now();
  const parties = latestParties(state).filter(
    ({ receivedAtMs }) => nowMs - receivedAtMs <= limits.partyIdleMs,
  );
  const trips = [...state.trips.values()]
    .filter(({ live }) => live.dropAtMs === 0 || live.dropAtMs > nowMs)
    .map((trip) => shown(trip, nowMs));
  for (const part of slices(parties)) {
    const stored = await patiently(clock, () =>
      Promise.all(part.map(({ partyKey }) => latest.party(partyKey))),
    );
    const wanted = part.filter((party, i) => judgeParty(party, stored[i], counts));
    await write(deps, state.partition, { parties: wanted, trips: [] }, dryRun, counts);
  }
  for (const part of slices(trips)) {
    const stored = await patiently(clock, () =>
      Promise.all(part.map(({ live }) => latest.trip(live.tripId))),
    );
    const wanted = part.filter(({ live }, i) => judgeTrip(live, stored[i], counts));
    await write(deps, state.partition, { parties: [], trips: wanted }, dryRun, counts);
  }
}

async function write(
  { latest, limits, clock }: { latest: Latest; limits: Limits; clock: RebuildDeps["clock"] },
  partition: number,
  flush: { parties: LatestParty[]; trips: PackedLive[] },
  dryRun: boolean,
  counts: PartCounts,
): Promise<void> {
  const rows = flush.parties.length + flush.trips.length;
  counts.rowsWritten += rows;
  if (dryRun || rows === 0) return;
  const ownFence = { partition: limits.partitions + partition, partitionEpoch: Math.floor(clock.now()) };
  await patiently(clock, () => latest.update({ ...ownFence, ...flush, removed: [] }));
}

/** True when it is to be written. */
function judgeParty(party: LatestParty, stored: LatestParty | undefined, counts: PartCounts): boolean {
  counts.inLog++;
  if (!stored) {
    counts.added++;
    return true;
  }
  const order = party.sessionEpoch - stored.sessionEpoch || party.seq - stored.seq;
  if (order < 0 || (order === 0 && isSameParty(party, stored))) {
    counts.found++;
    return false;
  }
  counts.corrected++;
  return true;
}

function judgeTrip(live: PackedLive["live"], stored: TripLive | undefined, counts: PartCounts): boolean {
  counts.inLog++;
  if (!stored) {
    counts.added++;
    return true;
  }
  const order = compareVersions(live.version, stored.version);
  if (order > 0) {
    counts.corrected++;
    return true;
  }
  if (order < 0 || isDeepStrictEqual(withoutStamp(stored.position), withoutStamp(live.position)))
    counts.found++;
  else counts.left++;
  return false;
}

/** Within what stores keep of a place. */
function isSameParty(a: LatestParty, b: LatestParty): boolean {
  const near = (x: number, y: number) => Object.is(x, y) || Math.abs(x - y) < 1e-6;
  return (
    near(a.latDeg, b.latDeg) &&
    near(a.lonDeg, b.lonDeg) &&
    a.tripId === b.tripId &&
    a.capturedAtMs === b.capturedAtMs
  );
}

/** Shown from now on, where nobody said when. */
function shown({ live, trail }: PackedLive, nowMs: number): PackedLive {
  const position = live.position && { ...live.position, processedAtMs: live.position.processedAtMs || nowMs };
  return { live: { ...live, position }, trail };
}

function withoutStamp(position: TripLive["position"]): object | undefined {
  return position && { ...position, processedAtMs: 0 };
}

function* slices<T>(all: readonly T[]): Generator<T[]> {
  for (let i = 0; i < all.length; i += LOOKUPS_AT_ONCE) yield all.slice(i, i + LOOKUPS_AT_ONCE);
}
