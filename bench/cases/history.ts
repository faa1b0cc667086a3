import { partyKey } from "../../internal/core/fix.ts";
import { encodeChunk } from "../../internal/history/codec.ts";
import type { History, TrackChunk } from "../../internal/history/history.ts";
import { tracesFolder } from "../drives/score.ts";
import { type BareRow, embeddedHistory, type Measured, realHistory } from "../history/engines.ts";
import { chunksOf, type HistoryLoad, recordedFixes } from "../history/load.ts";
import { atLeast, type CaseResult, median } from "../report.ts";

export type HistoryArgs = { engines: "real" | "embedded"; parties: number; runs: number };

const ROWS_PER_PARTY = 10;
const FIXES_PER_ROW = 60;
const REACH = 200_000;
/** As the history projection stores them: some hundred rows to a call. */
const CHUNKS_PER_CALL = 500;
const CALLS_AT_ONCE = 2;
const READS_AT_ONCE = 8;
/** Runs that are not counted: a Java server compiles itself while it works. */
const WARM_UPS = 3;

type Run = {
  fixesPerSecond: number;
  ceilingPerSecond: number;
  readFixesPerSecond: number;
  cpuUsPerFix: number;
  encodedBytesPerFix: number;
};

/**
 * How fast fixes of recorded drives get into the history in rows of 60, encoding included, and back out again, counted;
 * beside it the engine's bare client with rows that were encoded before.
 */
export async function history(args: HistoryArgs, log: (line: string) => void): Promise<CaseResult> {
  const traces = tracesFolder();
  if (!traces) throw new Error("the recorded drives are not at hand (BIMRIDE_TRACES)");
  const startedMs = performance.now();
  const fixes = recordedFixes(traces, Date.now());
  const load: HistoryLoad = {
    parties: args.parties,
    rowsPerParty: ROWS_PER_PARTY,
    fixesPerRow: FIXES_PER_ROW,
    recorded: fixes.length,
  };
  log(`${load.parties * ROWS_PER_PARTY} rows of ${FIXES_PER_ROW} from ${fixes.length} recorded fixes`);
  await using engine = await (args.engines === "real" ? realHistory() : embeddedHistory());
  const runs: Run[] = [];
  for (let run = 1 - WARM_UPS; run <= args.runs; run++) {
    const result = await measure(engine, chunksOf(fixes, load, `run${run}`), load);
    log(`${run < 1 ? "warm-up" : `run ${run}`}: ${JSON.stringify(result)}`);
    if (run > 0) runs.push(result);
  }
  const middle = (of: (run: Run) => number) => median(runs.map(of));
  const fixesPerSecond = middle((run) => run.fixesPerSecond);
  return {
    args: { ...args, ...load },
    versions: { [args.engines === "real" ? "cassandra" : "sqlite"]: engine.version },
    seed: 0,
    runs: args.runs,
    durationS: Math.round((performance.now() - startedMs) / 1_000),
    results: {
      fixesPerSecond,
      ceilingPerSecond: middle((run) => run.ceilingPerSecond),
      ratio: Math.round(middle((run) => run.fixesPerSecond / run.ceilingPerSecond) * 100) / 100,
      readFixesPerSecond: middle((run) => run.readFixesPerSecond),
      cpuUsPerFix: middle((run) => run.cpuUsPerFix),
      encodedBytesPerFix: runs[0]!.encodedBytesPerFix,
    },
    targets: args.engines === "real" ? [atLeast("fixesPerSecond", REACH, fixesPerSecond)] : [],
  };
}

async function measure(
  { history, writeBare }: Measured,
  chunks: TrackChunk[],
  load: HistoryLoad,
): Promise<Run> {
  const fixes = chunks.length * load.fixesPerRow;
  const rows = chunks.map(bareRow);
  const perSecond = (ms: number) => Math.round((fixes * 1_000) / ms);
  const ceilingMs = await timed(() => writeBare(rows));
  const cpu = process.cpuUsage();
  const writeMs = await timed(() => write(history, chunks));
  const { user, system } = process.cpuUsage(cpu);
  const readMs = await timed(() => readBack(history, chunks, load));
  const bytes = rows.reduce((sum, { blob }) => sum + blob.length, 0);
  return {
    fixesPerSecond: perSecond(writeMs),
    ceilingPerSecond: perSecond(ceilingMs),
    readFixesPerSecond: perSecond(readMs),
    cpuUsPerFix: Math.round(((user + system) / fixes) * 100) / 100,
    encodedBytesPerFix: Math.round((bytes / fixes) * 10) / 10,
  };
}

function bareRow(chunk: TrackChunk): BareRow {
  return {
    party: `bare-${partyKey(chunk.party)}`,
    atMs: chunk.firstAtMs,
    seq: chunk.firstSeq,
    sequence: chunk.firstSequence,
    blob: Buffer.from(encodeChunk(chunk).buffer),
  };
}

async function timed(run: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}

async function write(history: History, chunks: readonly TrackChunk[]): Promise<void> {
  let next = 0;
  const drain = async () => {
    while (next < chunks.length) {
      const part = chunks.slice(next, next + CHUNKS_PER_CALL);
      next += CHUNKS_PER_CALL;
      await history.putChunks(part);
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, drain));
}

/** Reads every party's track and throws unless it has exactly the fixes that were written. */
async function readBack(history: History, chunks: readonly TrackChunk[], load: HistoryLoad): Promise<void> {
  let next = 0;
  const drain = async () => {
    while (next < load.parties) await readParty(history, chunks, load, next++);
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, drain));
}

async function readParty(history: History, chunks: readonly TrackChunk[], load: HistoryLoad, index: number) {
  const own = Array.from({ length: load.rowsPerParty }, (_, row) => chunks[row * load.parties + index]!);
  const { party } = own[0]!;
  const limit = load.rowsPerParty * load.fixesPerRow + 1;
  const track = await history.track({ party, fromMs: own[0]!.minAtMs, toMs: own.at(-1)!.maxAtMs, limit });
  const got = track.map(({ seq }) => seq).join();
  const put = own.flatMap(({ fixes }) => fixes.map(({ seq }) => seq)).join();
  if (got !== put) throw new Error(`${partyKey(party)} has other fixes than were written: ${track.length}`);
}
