import { type Party, partyKey } from "../core/fix.ts";
import { decodeChunk, encodeChunk } from "../history/codec.ts";
import type { HistoryStore, RecordedFix } from "../history/history.ts";
import { correctedAtMs } from "../history/merge.ts";
import { patiently } from "./patient.ts";
import type { Planned } from "./planned.ts";
import type { RebuildDeps } from "./rebuild-deps.ts";
import { type LoggedFix, reconcile } from "./reconcile.ts";
import type { Replayed } from "./replay.ts";
import type { PartCounts } from "./report.ts";

/** Fixes of one party that are looked at together. */
const MAX_FIXES_OF_PARTY = 600;
/** Fixes waiting in all; beyond, all parties are looked at. */
const MAX_FIXES = 100_000;
/** Stored chunks are asked for over at most so long, and not over gaps longer than the second. */
const MAX_WINDOW_MS = 3_600_000;
const MAX_GAP_MS = 600_000;
/** A copy's corrected time may differ by so much, when the session's clock offset was estimated anew in between. */
const COPY_MARGIN_MS = 300_000;
/** Rows in one write. */
const ROWS_PER_WRITE = 64;

type Waiting = { party: Party; at: Replayed; counts: PartCounts; fixes: LoggedFix[] };

export type FixKeeperDeps = RebuildDeps & {
  history: HistoryStore;
  dryRun: boolean;
  planned: Planned;
  /** True when nobody writes besides. */
  alone: boolean;
};

/** The fixes of the log on their way to be compared with the record: by party, within bounds, the right ones in it then. */
export class FixKeeper {
  readonly #deps: FixKeeperDeps;
  readonly #waiting = new Map<string, Waiting>();
  readonly #full = new Set<Waiting>();
  #count = 0;

  constructor(deps: FixKeeperDeps) {
    this.#deps = deps;
  }

  add(at: Replayed, counts: PartCounts, party: Party, logged: LoggedFix): void {
    const key = partyKey(party);
    let waiting = this.#waiting.get(key);
    if (!waiting) {
      waiting = { party, at, counts, fixes: [] };
      this.#waiting.set(key, waiting);
    }
    counts.inLog++;
    if (waiting.fixes.push(logged) >= MAX_FIXES_OF_PARTY) this.#full.add(waiting);
    this.#count++;
  }

  /** Looks at what has become much. */
  async settleFull(): Promise<void> {
    if (this.#count > MAX_FIXES) await this.settleAll(false);
    for (const waiting of this.#full) await this.#compare(waiting, false);
    this.#full.clear();
  }

  /** @param last what may still grow is given up now */
  async settleAll(last: boolean): Promise<void> {
    for (const waiting of [...this.#waiting.values()]) {
      await this.#compare(waiting, last);
      if (waiting.fixes.length === 0) this.#waiting.delete(partyKey(waiting.party));
    }
    this.#full.clear();
  }

  async #compare(waiting: Waiting, last: boolean): Promise<void> {
    const fixes = waiting.fixes.splice(0);
    this.#count -= fixes.length;
    for (const window of windowsOf(fixes)) {
      const left = await this.#compareWindow(waiting, window);
      // Looked at again once the row can't grow any more; bounded, as only the newest rows can.
      if (last || waiting.fixes.length >= MAX_FIXES_OF_PARTY) waiting.counts.left += left.length;
      else {
        waiting.fixes.push(...left);
        this.#count += left.length;
      }
    }
  }

  async #compareWindow({ party, at, counts }: Waiting, window: LoggedFix[]): Promise<LoggedFix[]> {
    const { history, limits, clock, dryRun, planned, alone } = this.#deps;
    const times = window.map(({ fix }) => correctedAtMs(fix));
    const range = {
      fromMs: Math.min(...times) - COPY_MARGIN_MS,
      toMs: Math.max(...times) + COPY_MARGIN_MS,
    };
    const stored = await patiently(clock, () => history.chunks({ party, ...range }));
    const mayGrow = (pipelineTimeMs: number) =>
      !alone && at.state.pipelineTimeMs - pipelineTimeMs <= limits.maxChunkSpanMs;
    const found = reconcile(party, asStored(party, window), stored, limits, mayGrow);
    counts.found += found.found;
    counts.added += found.added.length;
    counts.corrected += found.corrected.length;
    counts.rowsWritten += found.rows.length;
    if (dryRun) planned.addFixes(party, [...found.added, ...found.corrected]);
    else
      for (let i = 0; i < found.rows.length; i += ROWS_PER_WRITE) {
        const rows = found.rows.slice(i, i + ROWS_PER_WRITE);
        await patiently(clock, () => history.putChunks(rows, { repair: true }));
      }
    return found.left;
  }
}

/** The fixes at the resolutions of the store, each once, in order of arrival. */
function asStored(party: Party, window: readonly LoggedFix[]): LoggedFix[] {
  const bySession = Map.groupBy(window, ({ fix }) => fix.sessionId);
  const first = new Map<string, LoggedFix>();
  for (const [sessionId, fixes] of bySession) {
    const [head] = fixes;
    const firstAtMs = correctedAtMs(head!.fix);
    const chunk = { party, sessionId, firstAtMs, firstSeq: head!.fix.seq, firstSequence: 0 };
    const exact = decodeChunk(
      encodeChunk({ ...chunk, minAtMs: firstAtMs, maxAtMs: firstAtMs, fixes: fixes.map(({ fix }) => fix) }),
    ).fixes;
    for (const [i, fix] of exact.entries()) {
      const name = `${sessionId} ${fix.seq}`;
      const known = first.get(name);
      if (!known || fix.receivedAtMs < known.fix.receivedAtMs) first.set(name, { ...fixes[i]!, fix });
    }
  }
  return [...first.values()].sort((a, b) => a.sequence - b.sequence);
}

/** The fixes cut where they lie far apart, so that what is stored between them is not read. */
function windowsOf(fixes: readonly LoggedFix[]): LoggedFix[][] {
  const byTime = [...fixes].sort((a, b) => timeOf(a) - timeOf(b));
  const windows: LoggedFix[][] = [];
  let window: LoggedFix[] = [];
  for (const one of byTime) {
    const [first] = window;
    const last = window.at(-1);
    if (
      first &&
      last &&
      (timeOf(one) - timeOf(first) > MAX_WINDOW_MS || timeOf(one) - timeOf(last) > MAX_GAP_MS)
    ) {
      windows.push(window);
      window = [];
    }
    window.push(one);
  }
  if (window.length > 0) windows.push(window);
  return windows;
}

const timeOf = ({ fix }: { fix: RecordedFix }) => correctedAtMs(fix);
