import { decodeEntry } from "../../internal/eventlog/codec.ts";
import type { EventLog } from "../../internal/eventlog/log.ts";
import type { NatsProfile } from "../../test/kit/engines/nats.ts";
import { embeddedLog, type Measured, REGION, realLog } from "../log/engines.ts";
import { type Entry, entriesOf } from "../log/entries.ts";
import { atLeast, type CaseResult, median, type Quantiles, quantiles } from "../report.ts";

export type LogArgs = {
  engines: "real" | "embedded";
  profile: NatsProfile;
  /** Entries of a run. */
  entries: number;
  /** Entries under way at once. */
  window: number;
  /** Offered to the gateway that makes the entries. */
  rate: number;
  runs: number;
};

const PARTIES = 40_000;
const REACH = 0.7;
/** Runs that are not counted. */
const WARM_UPS = 1;

type Run = {
  fixesPerSecond: number;
  ceilingPerSecond: number;
  readFixesPerSecond: number;
  cpuUsPerFix: number;
  ackMs: Quantiles;
};

/**
 * How fast fixes get durably into the log, in entries as a gateway makes them, and back out again, counted; beside it
 * the engine's bare client with the same entries to the same place, the two in turns.
 */
export async function log(args: LogArgs, say: (line: string) => void): Promise<CaseResult> {
  const startedMs = performance.now();
  await using engine = await (args.engines === "real" ? realLog(args.profile) : embeddedLog());
  const runs: Run[] = [];
  let fixesPerMessage = 0;
  let bytesPerMessage = 0;
  for (let run = 1 - WARM_UPS; run <= args.runs; run++) {
    const load = { region: REGION, parties: PARTIES, fixesPerSecond: args.rate, entries: args.entries };
    const entries = await entriesOf({ ...load, name: `run${run}` });
    const fixes = countFixes(entries.map(({ body }) => body));
    fixesPerMessage = fixes / entries.length;
    bytesPerMessage = entries.reduce((sum, { body }) => sum + body.length, 0) / entries.length;
    const result = await measure(engine, entries, fixes, args.window, run % 2 === 0);
    say(`${run < 1 ? "warm-up" : `run ${run}`}: ${JSON.stringify(result)}`);
    if (run > 0) runs.push(result);
  }
  const middle = (of: (run: Run) => number) => median(runs.map(of));
  const ratio = Math.round(middle((run) => run.fixesPerSecond / run.ceilingPerSecond) * 100) / 100;
  return {
    args,
    versions: { [args.engines === "real" ? "nats" : "sqlite"]: engine.version },
    seed: 0,
    runs: args.runs,
    durationS: Math.round((performance.now() - startedMs) / 1_000),
    results: {
      fixesPerSecond: middle((run) => run.fixesPerSecond),
      ceilingPerSecond: middle((run) => run.ceilingPerSecond),
      ratio,
      fixesPerMessage: Math.round(fixesPerMessage * 100) / 100,
      bytesPerMessage: Math.round(bytesPerMessage),
      readFixesPerSecond: middle((run) => run.readFixesPerSecond),
      cpuUsPerFix: middle((run) => run.cpuUsPerFix),
      ackMs: runs.toSorted((a, b) => a.ackMs.p99 - b.ackMs.p99)[(runs.length - 1) >> 1]!.ackMs,
    },
    targets: args.engines === "real" ? [atLeast("ratio", REACH, ratio)] : [],
  };
}

/** @param bareFirst runs take turns, so that neither is always the one that finds the machine warm */
async function measure(
  { log, writeBare }: Measured,
  entries: readonly Entry[],
  fixes: number,
  window: number,
  bareFirst: boolean,
): Promise<Run> {
  const perSecond = (ms: number) => Math.round((fixes * 1_000) / ms);
  const bare = () => timed(() => writeBare(entries, window));
  let ceilingMs = bareFirst ? await bare() : 0;
  const after = await endsOf(log);
  const ackMs: number[] = [];
  const cpu = process.cpuUsage();
  const writeMs = await timed(() => write(log, entries, window, ackMs));
  const { user, system } = process.cpuUsage(cpu);
  const readMs = await timed(() => readBack(log, after, fixes));
  if (!bareFirst) ceilingMs = await bare();
  await log.trim(Date.now() + 60_000);
  return {
    fixesPerSecond: perSecond(writeMs),
    ceilingPerSecond: perSecond(ceilingMs),
    readFixesPerSecond: perSecond(readMs),
    cpuUsPerFix: Math.round(((user + system) / fixes) * 100) / 100,
    ackMs: quantiles(ackMs),
  };
}

/** Appends all, `window` under way, each timed from its call to its answer. */
function write(log: EventLog, entries: readonly Entry[], window: number, ackMs: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let stored = 0;
    const send = () => {
      const { partition, body } = entries[next++]!;
      const startedMs = performance.now();
      log.append(partition, body).then(() => {
        ackMs.push(performance.now() - startedMs);
        stored++;
        if (next < entries.length) send();
        else if (stored === entries.length) resolve();
      }, reject);
    };
    while (next < Math.min(window, entries.length)) send();
  });
}

async function endsOf(log: EventLog): Promise<Map<number, number>> {
  const partitions = Array.from({ length: log.partitions }, (_, partition) => partition);
  return new Map(
    await Promise.all(
      partitions.map(async (partition) => [partition, (await log.bounds(partition)).last] as const),
    ),
  );
}

/** Reads what was appended and throws unless every fix is there, once. */
async function readBack(log: EventLog, after: ReadonlyMap<number, number>, fixes: number): Promise<void> {
  const abort = new AbortController();
  const seen = new Set<string>();
  let read = 0;
  for await (const batch of log.read(after, abort.signal)) {
    for (const { body } of batch) {
      for (const record of decodeEntry(body).records) {
        if (record.kind !== "fixBatch") continue;
        for (const { seq } of record.fixes) seen.add(`${record.party.id} ${seq}`);
        read += record.fixes.length;
      }
    }
    if (read >= fixes) abort.abort();
  }
  if (read !== fixes || seen.size !== fixes)
    throw new Error(`${fixes} fixes were appended, ${read} were read, ${seen.size} different ones`);
}

function countFixes(bodies: readonly Uint8Array[]): number {
  let fixes = 0;
  for (const body of bodies)
    for (const record of decodeEntry(body).records)
      fixes += record.kind === "fixBatch" ? record.fixes.length : 0;
  return fixes;
}

async function timed(run: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}
