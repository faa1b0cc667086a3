import { isDeepStrictEqual } from "node:util";
import type { Latest, LatestParty } from "../../internal/latest/latest.ts";
import { tracesFolder } from "../drives/score.ts";
import { embeddedLatest, type Measured, realLatest } from "../latest/engines.ts";
import { flushesOf, type LatestLoad, type Place, places } from "../latest/load.ts";
import { atLeast, type CaseResult, median } from "../report.ts";

export type LatestArgs = { engines: "real" | "embedded"; parties: number; runs: number };

/** Part of the bare client's speed that the latest state should reach on real engines. */
const REACH_RATIO = 0.7;
const UPDATES_PER_FLUSH = 200;
const ROUNDS = 100;
/** Owners write their partitions side by side. */
const FLUSHES_AT_ONCE = 4;
const READS_AT_ONCE = 32;
/** Runs that are not counted: code gets compiled, tables get their size. */
const WARM_UPS = 2;
/** A run of either is cut into so many turns, so that what else the machine does meets both. */
const TURNS = 10;
const EVERYWHERE = { southDeg: -90, northDeg: 90, westDeg: -180, eastDeg: 180 };

type Run = { fixesPerSecond: number; ceilingPerSecond: number; ratio: number; cpuUsPerFix: number };
type Spent = { ms: number; cpuUs: number };

/**
 * How fast positions of a fleet get into the latest state in flushes of 200, fenced and compared with what is stored, and
 * whether all of it is there; beside it the bare client with updates encoded before: a script that does GEOADD and HSET with
 * the same data in the same layout and compares nothing (bench/latest/bare.lua), or, embedded, a Map.
 */
export async function latest(args: LatestArgs, log: (line: string) => void): Promise<CaseResult> {
  const startedMs = performance.now();
  const traces = tracesFolder();
  const drive = places(traces);
  const parties = Math.max(UPDATES_PER_FLUSH, args.parties - (args.parties % UPDATES_PER_FLUSH));
  const load: LatestLoad = { parties, rounds: ROUNDS, updatesPerFlush: UPDATES_PER_FLUSH };
  log(`${parties} parties on ${drive.length} places of ${traces ? "recorded drives" : "a made-up drive"}`);
  await using engine = await (args.engines === "real" ? realLatest() : embeddedLatest());
  const runs: Run[] = [];
  for (let run = 1 - WARM_UPS; run <= args.runs; run++) {
    const result = await measure(engine, drive, load, (run + WARM_UPS) * ROUNDS);
    log(`${run < 1 ? "warm-up" : `run ${run}`}: ${JSON.stringify(result)}`);
    if (run > 0) runs.push(result);
  }
  const middle = (of: (run: Run) => number) => median(runs.map(of));
  const ratio = middle((run) => run.ratio);
  return {
    args: { ...args, ...load, drives: traces ? "recorded" : "made up" },
    versions: { [args.engines === "real" ? "redis" : "memory"]: engine.version },
    seed: 0,
    runs: args.runs,
    durationS: Math.round((performance.now() - startedMs) / 1_000),
    results: {
      fixesPerSecond: middle((run) => run.fixesPerSecond),
      ceilingPerSecond: middle((run) => run.ceilingPerSecond),
      ratio,
      cpuUsPerFix: middle((run) => run.cpuUsPerFix),
    },
    targets: args.engines === "real" ? [atLeast("latest ratio", REACH_RATIO, ratio)] : [],
  };
}

/** One run of both, taking turns. */
async function measure(
  engine: Measured,
  drive: readonly Place[],
  load: LatestLoad,
  firstSeq: number,
): Promise<Run> {
  const flushes = flushesOf(drive, load, firstSeq);
  const writeBare = engine.bare(flushes);
  const write = async (flush: number) => {
    const { refused } = await engine.latest.update({
      partition: flush % (load.parties / load.updatesPerFlush),
      partitionEpoch: 1,
      parties: flushes[flush]!,
      trips: [],
      removed: [],
    });
    if (refused > 0) throw new Error(`${refused} updates were refused`);
  };
  const newest = flushes.slice(-load.parties / load.updatesPerFlush).flat();
  const spent = { own: { ms: 0, cpuUs: 0 }, bare: { ms: 0, cpuUs: 0 } };
  for (let turn = 0; turn < TURNS; turn++) {
    const from = Math.round((turn * flushes.length) / TURNS);
    const to = Math.round(((turn + 1) * flushes.length) / TURNS);
    const both = [
      () => timed(spent.own, () => each(from, to, write)),
      () => timed(spent.bare, () => each(from, to, writeBare)),
    ];
    for (const run of turn % 2 === 0 ? both : both.reverse()) await run();
  }
  await check(engine, newest);
  const updates = flushes.length * load.updatesPerFlush;
  const perSecond = ({ ms }: Spent) => Math.round((updates * 1_000) / ms);
  return {
    fixesPerSecond: perSecond(spent.own),
    ceilingPerSecond: perSecond(spent.bare),
    ratio: Math.round((spent.bare.ms / spent.own.ms) * 100) / 100,
    cpuUsPerFix: Math.round((spent.own.cpuUs / updates) * 100) / 100,
  };
}

async function timed(spent: Spent, run: () => Promise<void>): Promise<void> {
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(cpu);
  spent.ms += performance.now() - startedMs;
  spent.cpuUs += user + system;
}

/** Calls for each number, some at a time. */
async function each(
  from: number,
  to: number,
  call: (index: number) => Promise<void>,
  atOnce = FLUSHES_AT_ONCE,
): Promise<void> {
  let next = from;
  const drain = async () => {
    while (next < to) await call(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, drain));
}

/** Reads everybody back and throws unless each is where they were written last, and nobody else is anywhere. */
async function check({ latest, bareCount }: Measured, newest: readonly LatestParty[]): Promise<void> {
  await each(0, newest.length, (i) => checkParty(latest, newest[i]!), READS_AT_ONCE);
  const { parties } = await latest.within(EVERYWHERE, newest.length + 1);
  if (parties.length !== newest.length)
    throw new Error(`${parties.length} parties are found where ${newest.length} were written`);
  const bare = await bareCount();
  if (bare !== newest.length) throw new Error(`the bare client stored ${bare} of ${newest.length} parties`);
}

async function checkParty(latest: Latest, written: LatestParty): Promise<void> {
  const found = await latest.party(written.partyKey);
  if (!isDeepStrictEqual(found, written))
    throw new Error(`${written.partyKey} is not as it was written last: seq ${found?.seq}`);
}
