import type { History, RecordedFix, TrackQuery } from "../../history/history.ts";
import { correctedAtMs, isAsked, mergeFixes, trackKey } from "../../history/merge.ts";

/**
 * A fix that two regions have (its ack was lost on the way, and it was sent again after a hand-over) is told as a repeat
 * when its corrected times in both lie this close together; they differ when the clock offset was estimated anew.
 */
const REPEAT_MARGIN_MS = 300_000;
/** Fixes read at once from each engine, beyond the page's own; doubles where they lie very close. */
const MIN_STEP = 1_000;

/** Whether the engine has fixes of what is asked for, or so close beside it that they may be repeats. */
export async function hasSomeOf(engine: History, query: TrackQuery): Promise<boolean> {
  const beside = besideOf(query, startOf(query), 1);
  return (await engine.track(beside)).length > 0;
}

/**
 * A page as the one engine would give it that had all of them: windows of time, of which every engine's fixes and their
 * possible repeats on both sides are known, are merged one after the other.
 */
export async function mergedTrack(engines: readonly History[], query: TrackQuery): Promise<RecordedFix[]> {
  const page: RecordedFix[] = [];
  for (let fromMs = startOf(query); page.length < query.limit; ) {
    const { fixes, untilMs } = await readWindow(engines, query, fromMs);
    for (const fix of mergeFixes(fixes)) {
      const atMs = correctedAtMs(fix);
      if (atMs < fromMs || atMs >= untilMs || !isAsked(query, trackKey(fix))) continue;
      page.push(fix);
      if (page.length === query.limit) break;
    }
    if (untilMs > query.toMs) break;
    fromMs = untilMs;
  }
  return page;
}

/** @property untilMs the window's end, not in it; Infinity when there is nothing after it */
type Window = { fixes: RecordedFix[]; untilMs: number };

async function readWindow(engines: readonly History[], query: TrackQuery, fromMs: number): Promise<Window> {
  for (let step = query.limit + MIN_STEP; ; step *= 2) {
    const asked = besideOf(query, fromMs, step);
    const found = await Promise.all(engines.map((engine) => engine.track(asked)));
    const full = found.filter((fixes) => fixes.length === step);
    // Of an engine that has more, the last millisecond may be there in part.
    const knownMs = Math.min(...full.map((fixes) => correctedAtMs(fixes.at(-1)!)));
    const untilMs = knownMs - REPEAT_MARGIN_MS;
    if (untilMs > fromMs) return { fixes: found.flat(), untilMs };
  }
}

/** Where the page begins. */
function startOf(query: TrackQuery): number {
  return Math.max(query.fromMs, query.after?.atMs ?? query.fromMs);
}

function besideOf({ party, toMs }: TrackQuery, fromMs: number, limit: number): TrackQuery {
  return { party, fromMs: fromMs - REPEAT_MARGIN_MS, toMs: toMs + REPEAT_MARGIN_MS, limit };
}
