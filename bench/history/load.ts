import { join } from "node:path";
import type { RecordedFix, TrackChunk } from "../../internal/history/history.ts";
import { readCsv, readTrace } from "../drive/trace.ts";

export type HistoryLoad = {
  /** Parties that drive. */
  parties: number;
  /** Rows of each. */
  rowsPerParty: number;
  fixesPerRow: number;
  /** Recorded fixes that these are taken from; each is used several times. */
  recorded: number;
};

const MINUTE_MS = 60_000;
/** Pauses of the recordings are cut to this, so that a row spans no more time than the pipeline would let it. */
const MAX_PAUSE_MS = 3_500;
/** Where in the recordings a party begins: far from the one before. */
const STRIDE = 7_919;

/**
 * All recorded drives one after another, the last fix a minute before `endMs`, as the pipeline would record them: with
 * receipt, clock offset, and a published position beside the raw one.
 */
export function recordedFixes(traces: string, endMs: number): RecordedFix[] {
  const files = readCsv(join(traces, "index.csv"), ["set", "trace"]).map(({ set, trace }) =>
    join(traces, set!, `${trace}.csv`),
  );
  const fixes: RecordedFix[] = [];
  let atMs = 0;
  for (const file of files) {
    const { rows } = readTrace(file, { startMs: atMs + 1_000, everyS: 0, maxPauseMs: MAX_PAUSE_MS });
    const inOrder = rows.map(({ fix }) => fix).sort((a, b) => a.capturedAtMs - b.capturedAtMs);
    for (const [i, fix] of inOrder.entries()) {
      const before = inOrder[Math.max(0, i - 1)]!;
      fixes.push(recordedOf(fix, before, fixes.length));
      atMs = fix.capturedAtMs;
    }
  }
  const shiftMs = Math.round(endMs - MINUTE_MS - atMs);
  for (const fix of fixes) {
    fix.capturedAtMs += shiftMs;
    fix.receivedAtMs += shiftMs;
  }
  return fixes;
}

/** Its published position lags as a filter's does; its delay is as that of a mobile network, and always the same. */
function recordedOf(
  fix: Omit<RecordedFix, keyof typeof NEVER_SHOWN>,
  before: { latDeg: number; lonDeg: number },
  seq: number,
): RecordedFix {
  return {
    ...fix,
    ...NEVER_SHOWN,
    seq,
    receivedAtMs: fix.capturedAtMs + 60 + ((seq * STRIDE) % 180),
    publishedLatDeg: fix.latDeg * 0.8 + before.latDeg * 0.2,
    publishedLonDeg: fix.lonDeg * 0.8 + before.lonDeg * 0.2,
  };
}

const NEVER_SHOWN = {
  sessionId: "bench-session",
  sessionEpoch: 1_790_000_000_000,
  clockOffsetMs: 0,
  receivedAtMs: 0,
  publishedLatDeg: Number.NaN,
  publishedLonDeg: Number.NaN,
  late: false,
  outlier: false,
  superseded: false,
};

/**
 * The rows of all parties in the order in which a fleet fills them: the first of everybody, the second, and so on.
 * @param name of the parties, before their number
 */
export function chunksOf(fixes: readonly RecordedFix[], load: HistoryLoad, name: string): TrackChunk[] {
  const chunks: TrackChunk[] = [];
  for (let row = 0; row < load.rowsPerParty; row++)
    for (let party = 0; party < load.parties; party++) chunks.push(chunkAt(fixes, load, name, party, row));
  return chunks;
}

function chunkAt(
  fixes: readonly RecordedFix[],
  { rowsPerParty, fixesPerRow }: HistoryLoad,
  name: string,
  party: number,
  row: number,
): TrackChunk {
  const places = fixes.length - rowsPerParty * fixesPerRow;
  const from = ((party * STRIDE) % places) + row * fixesPerRow;
  const own = fixes.slice(from, from + fixesPerRow);
  return {
    party: { kind: "driver", id: `${name}-${party}` },
    sessionId: "bench-session",
    firstAtMs: own[0]!.capturedAtMs,
    firstSeq: own[0]!.seq,
    firstSequence: row + 1,
    minAtMs: own[0]!.capturedAtMs,
    maxAtMs: own.at(-1)!.capturedAtMs,
    fixes: own,
  };
}
