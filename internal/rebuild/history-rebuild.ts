import type { HistoryStore } from "../history/history.ts";
import { recorded } from "../projections/open-chunks.ts";
import { FixKeeper, type FixKeeperDeps } from "./history-parts.ts";
import { Planned } from "./planned.ts";
import { type Asked, iso, rangeOf } from "./range.ts";
import type { RebuildDeps } from "./rebuild-deps.ts";
import { isWarm, replay } from "./replay.ts";
import { noCounts, type PartCounts, type RebuildReport, totalOf } from "./report.ts";
import { TripKeeper } from "./trip-keeper.ts";

/** So much longer than a row may grow and wait to be written; what is younger in the log is left to its owners. */
const GUARD_MARGIN_MS = 60_000;

export type HistoryRebuildDeps = RebuildDeps & {
  history: HistoryStore;
  /** How long the running processors let a row wait. */
  storePeriodMs: number;
  /** True when nobody writes to the log and the history besides, so that all of the log can be looked at. */
  alone: boolean;
};

/**
 * Makes the history of [from, to] what the log says: afterwards a track of the range has every fix of the log once, with
 * what the log says of it, and what people did and what settlement finds of its trips stands.
 *
 * It disturbs nobody. What is missing goes into rows of its own, under keys that no processor uses; what is wrong is
 * corrected where it stands, once the row can't grow any more: a row takes fixes for maxChunkSpanMs, and everything that
 * it could ever hold is looked at too (so up to twice as much on both sides of the range), so nothing is lost when its
 * owner's later write of it is refused as the older one. Fixes that the record has and the log has not are left alone.
 * @throws RebuildError
 */
export async function rebuildHistory(
  deps: HistoryRebuildDeps,
  asked: Asked,
  dryRun: boolean,
): Promise<RebuildReport> {
  const { log, limits, clock, alone, storePeriodMs } = deps;
  const startedMs = clock.monotonic();
  const guardMs = alone ? 0 : limits.maxChunkSpanMs + storePeriodMs + GUARD_MARGIN_MS;
  const range = await rangeOf(log, asked, limits, clock.now(), guardMs);
  const parts = Array.from({ length: log.partitions }, noCounts);
  const planned = new Planned();
  const keeping: FixKeeperDeps = { ...deps, dryRun, planned };
  const fixes = new FixKeeper(keeping);
  const trips = new TripKeeper(keeping, range);
  const [firstMs, lastMs] = [
    range.fromMs - 2 * limits.maxChunkSpanMs,
    range.toMs + 2 * limits.maxChunkSpanMs,
  ];

  let newestMs = 0;
  const replayed = await replay(
    deps,
    range,
    (at, entry, out) => {
      const { partition, pipelineTimeMs } = at.state;
      const counts = parts[partition]!;
      newestMs = Math.max(newestMs, pipelineTimeMs);
      for (const processed of out.fixes) {
        const fix = recorded(processed);
        const atMs = fix.capturedAtMs + fix.clockOffsetMs;
        if (atMs < firstMs || atMs > lastMs) continue;
        const { party } = processed.batch;
        const warm = isWarm(at, `${party.kind}/${party.id}`);
        fixes.add(at, counts, party, { fix, sequence: entry.sequence, pipelineTimeMs, warm });
      }
      for (const trip of out.trips) trips.changed(trip, counts);
    },
    async () => {
      await fixes.settleFull();
      if (!trips.isFull) return;
      await fixes.settleAll(false);
      await trips.settle(0, newestMs);
    },
  );
  await fixes.settleAll(true);
  await trips.settle(0, range.untilMs);
  for (const { state, entriesRead } of replayed) parts[state.partition]!.entriesRead = entriesRead;
  const notes = notesOf(parts, asked, range.toMs, planned);
  return {
    ...{ schema: "bimride.rebuild/1" as const, region: log.region, projection: "history" as const, dryRun },
    ...{
      from: iso(Math.max(range.fromMs, range.logBeginsMs)),
      to: iso(range.toMs),
      readFrom: iso(range.readFromMs),
    },
    ...{ logBegins: iso(range.logBeginsMs), notes },
    partitions: parts.map((counts, partition) => ({ partition, ...counts })),
    total: totalOf(parts),
    tookMs: Math.round(clock.monotonic() - startedMs),
  };
}

function notesOf(parts: readonly PartCounts[], asked: Asked, toMs: number, planned: Planned): string[] {
  const notes: string[] = [];
  if (asked.toMs !== undefined && asked.toMs > toMs)
    notes.push(`what came after ${iso(toMs)} was left to those who write it now`);
  if (totalOf(parts).left > 0)
    notes.push("left: wrong in rows that may still grow; run it again in some minutes");
  if (planned.overflowed)
    notes.push("so much would change that not all trips that would be settled anew were found");
  return notes;
}
