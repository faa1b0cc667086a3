import { decodeEntry } from "../../internal/eventlog/codec.ts";
import type { EventLog } from "../../internal/eventlog/log.ts";
import type { NatsProfile } from "../../test/kit/engines/nats.ts";
import { embeddedLog, type Measured, REGION, realLog } from "../log/engines.ts";
import { type Entry, entriesOf } from "../log/entries.ts";
import { atLeast, type CaseResult, median, type Quantiles, quantiles } from "../report.ts";

export type LogArgs = {
  engines: "real" | "embedded";
  profile: NatsProfile;
  /** Entries of a run: many windows in each slice, or its beginning and its end are most of what is measured. */
  entries: number;
  /** Entries under way at once. */
  window: number;
  /** Offered to the gateway that makes the entries. */
  rate: number;
  runs: number;
};

const PARTIES = 40_000;
/** Fixes per second of 40,000 cars, one per 4 s. */
const USUAL_RATE = 10_000;
/** The entries of the usual load are smaller: so many times as many of them. */
const SMALLER = 2;
const REACH = 0.7;
/** Runs that are not counted. */
const WARM_UPS = 1;
/** Parts of a run: the log and the bare client take turns. */
const SLICES = 10;
/** In front of the names of those whose fixes go through the log. */
const OWN = "own";

type Run = {
  fixesPerSecond: number;
  ceilingPerSecond: number;
  readFixesPerSecond: number;
  /** Of this process; the server's is its own. */
  cpuUsPerFix: number;
  ceilingCpuUsPerFix: number;
  fixesPerMessage: number;
  bytesPerMessage: number;
  ackMs: Quantiles;
};

/**
 * How fast fixes get durably into the log, in entries as a gateway makes them, and back out again, counted; beside it
 * the engine's bare client with entries of the same making to the same place, the two in turns. Twice: with the entries of
 * a gateway that is offered as much as this takes (`rate`), and with the small ones of one at its usual load.
 */
export async function log(args: LogArgs, say: (line: string) => void): Promise<CaseResult> {
  const startedMs = performance.now();
  await using engine = await (args.engines === "real" ? realLog(args.profile) : embeddedLog());
  const loaded = await runsOf(engine, args, args.rate, args.entries, say);
  const usual = await runsOf(engine, args, USUAL_RATE, SMALLER * args.entries, say);
  return {
    args,
    versions: { [args.engines === "real" ? "nats" : "sqlite"]: engine.version },
    seed: 0,
    runs: args.runs,
    durationS: Math.round((performance.now() - startedMs) / 1_000),
    results: { ...loaded, atUsualLoad: usual },
    targets: args.engines === "real" ? [atLeast("ratio", REACH, loaded.ratio)] : [],
  };
}

async function runsOf(
  engine: Measured,
  { window, runs: count }: LogArgs,
  rate: number,
  entries: number,
  say: (line: string) => void,
) {
  const runs: Run[] = [];
  const load = { region: REGION, parties: PARTIES, fixesPerSecond: rate, entries };
  const own = await entriesOf({ ...load, name: OWN });
  const bare = await entriesOf({ ...load, name: "bare" });
  say(`${entries} entries of a gateway at ${rate} fixes/s`);
  for (let run = 1 - WARM_UPS; run <= count; run++) {
    const result = await measure(engine, own, bare, window);
    say(`${run < 1 ? "warm-up" : `run ${run}`}: ${JSON.stringify(result)}`);
    if (run > 0) runs.push(result);
  }
  const middle = (of: (run: Run) => number) => median(runs.map(of));
  return {
    fixesPerSecond: middle((run) => run.fixesPerSecond),
    ceilingPerSecond: middle((run) => run.ceilingPerSecond),
    ratio: Math.round(middle((run) => run.fixesPerSecond / run.ceilingPerSecond) * 100) / 100,
    fixesPerMessage: middle((run) => run.fixesPerMessage),
    bytesPerMessage: middle((run) => run.bytesPerMessage),
    readFixesPerSecond: middle((run) => run.readFixesPerSecond),
    cpuUsPerFix: middle((run) => run.cpuUsPerFix),
    ceilingCpuUsPerFix: middle((run) => run.ceilingCpuUsPerFix),
    ackMs: runs.toSorted((a, b) => a.ackMs.p99 - b.ackMs.p99)[(runs.length - 1) >> 1]!.ackMs,
  };
}

/** In slices that take turns, so that whatever else the machine does meets both alike. */
async function measure(
  { log, writeBare }: Measured,
  own: readonly Entry[],
  bare: readonly Entry[],
  window: number,
): Promise<Run> {
  const [fixes, bareFixes] = [own, bare].map(countFixes) as [number, number];
  const after = await endsOf(log);
  const ackMs: number[] = [];
  const ofLog = new Spent();
  const ofBare = new Spent();
  const slice = (entries: readonly Entry[], i: number) =>
    entries.slice((i * entries.length) / SLICES, ((i + 1) * entries.length) / SLICES);
  for (let i = 0; i < SLICES; i++) {
    const turns = [
      () => ofLog.during(() => write(log, slice(own, i), window, ackMs)),
      () => ofBare.during(() => writeBare(slice(bare, i), window)),
    ];
    for (const turn of i % 2 === 0 ? turns : turns.toReversed()) await turn();
  }
  const reading = new Spent();
  let read = 0;
  await reading.during(async () => {
    read = await readBack(log, after, fixes);
  });
  await log.trim(Date.now() + 60_000);
  return {
    fixesPerSecond: ofLog.perSecond(fixes),
    ceilingPerSecond: ofBare.perSecond(bareFixes),
    readFixesPerSecond: reading.perSecond(read),
    cpuUsPerFix: ofLog.cpuUsPer(fixes),
    ceilingCpuUsPerFix: ofBare.cpuUsPer(bareFixes),
    fixesPerMessage: Math.round((fixes * 100) / own.length) / 100,
    bytesPerMessage: Math.round(own.reduce((sum, { body }) => sum + body.length, 0) / own.length),
    ackMs: quantiles(ackMs),
  };
}

/** Time and CPU of this process. */
class Spent {
  #ms = 0;
  #cpuUs = 0;

  async during(run: () => Promise<void>): Promise<void> {
    const startedMs = performance.now();
    const before = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(before);
    this.#ms += performance.now() - startedMs;
    this.#cpuUs += user + system;
  }

  perSecond(count: number): number {
    return Math.round((count * 1_000) / this.#ms);
  }

  cpuUsPer(count: number): number {
    return Math.round((this.#cpuUs / count) * 100) / 100;
  }
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

/** Reads what was appended and throws unless every fix is there, once. Returns how many were read, the others' too. */
async function readBack(log: EventLog, after: ReadonlyMap<number, number>, fixes: number): Promise<number> {
  const abort = new AbortController();
  const seen = new Set<string>();
  let own = 0;
  let others = 0;
  for await (const batch of log.read(after, abort.signal)) {
    for (const record of batch.flatMap(({ body }) => decodeEntry(body).records)) {
      if (record.kind !== "fixBatch") continue;
      const { id } = record.party;
      if (!id.startsWith(OWN)) others += record.fixes.length;
      else for (const { seq } of record.fixes) seen.add(`${id} ${seq}`);
      if (id.startsWith(OWN)) own += record.fixes.length;
    }
    if (own >= fixes) abort.abort();
  }
  if (own !== fixes || seen.size !== fixes)
    throw new Error(`${fixes} fixes were appended, ${own} were read, ${seen.size} different ones`);
  return own + others;
}

function countFixes(entries: readonly Entry[]): number {
  let fixes = 0;
  for (const { body } of entries)
    for (const record of decodeEntry(body).records)
      fixes += record.kind === "fixBatch" ? record.fixes.length : 0;
  return fixes;
}
