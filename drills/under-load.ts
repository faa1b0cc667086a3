import { BusTap } from "../bench/load/bus-tap.ts";
import { checkHistory } from "../bench/load/checker.ts";
import { Deployment, type DeploymentOptions } from "../bench/load/deployment.ts";
import { LiveLedger } from "../bench/load/live-ledger.ts";
import { LoadDrivers } from "../bench/load/load-drivers.ts";
import { readMetrics, total, untilPhasesAreStored } from "../bench/load/metrics.ts";
import { pause, until } from "../bench/load/pause.ts";
import { spread } from "../bench/load/spread.ts";
import { StoreProbe } from "../bench/load/store-probe.ts";
import { Viewers } from "../bench/load/viewers.ts";
import { quantiles } from "../bench/report.ts";
import { createRandom, type Random } from "../demo/random.ts";
import { type DrillContext, type DrillDetails, type DrillResult, own } from "./drill.ts";

/** A deployment under load, and all that looks at it. */
export type World = {
  deployment: Deployment;
  drivers: LoadDrivers;
  viewers: Viewers;
  tap: BusTap;
  probe: StoreProbe;
  random: Random;
  kills: number;
  log(line: string): void;
};

/** What a fault was. */
export type Fault = {
  pid: number;
  /** Milliseconds since 1970. `healedAtMs`: from when on all must be as before, but for a short settling. */
  faultAtMs: number;
  healedAtMs: number;
  faults?: number;
  takeOversMs?: number[];
  measured?: Record<string, number>;
  /** What did not hold that this drill looks for besides. */
  problems?: string[];
};

export type DrillPlan = {
  name: string;
  /** Fixes per second when none are asked for. */
  rate?: number;
  deployment?: DeploymentOptions;
  /** Acks must go on at the full rate while the fault lasts. */
  acksPromised: boolean;
  /** Does the fault and waits until it is over. */
  fault(world: World): Promise<Fault>;
};

const DEFAULT_RATE = 500;
/** Sent above what must be acked, so that windows cut at any moment hold enough. */
const MARGIN = 1.05;
/** One fix per car and second: a quarter of the cars of normal operation for the same rate. */
const CAR_INTERVAL_MS = 1_000;
/** Until cars are known to drive: that is stored for all of them at once. */
const WARM_UP_MS = 18_000;
const WINDOW_MS = 6_000;
/** After a fault drivers and viewers may need so long to be back. */
const SETTLE_MS = 4_000;
const FINISH_PATIENCE_MS = 60_000;
const HISTORY_PATIENCE_MS = 90_000;
/** Fixes of a car that may be without a verdict when all is well. */
const OPEN_PER_CAR = 1;
const CATCH_UP_MS = 120_000;
/** Of a viewer, cars' own interval and a slow machine included. */
const MAX_GAP_BEFORE_MS = 10_000;
/** Trips that the store is asked for. */
const PROBED = 40;
const KILLS = 10;

/** A role that is told to end does so by itself within this; its own bound is 10 s. */
const END_PATIENCE_MS = 15_000;

/** Two of each role but three processors, so that one can go and the others have something to share. */
const USUAL: DeploymentOptions = { gateways: 2, processors: 3, edges: 2 };

/**
 * Runs a fault under steady load with live viewers and judges what every driver was told, what every reader saw and what
 * history holds.
 */
export async function underLoad(plan: DrillPlan, { args, owned, log }: DrillContext): Promise<DrillResult> {
  const rate = args.rate ?? plan.rate ?? DEFAULT_RATE;
  const folder = args.keep ? { folder: `${args.keep}/${plan.name}` } : {};
  const deployment = await own({ owned }, Deployment.start({ ...USUAL, ...plan.deployment, ...folder }));
  const cars = Math.ceil((rate * MARGIN * CAR_INTERVAL_MS) / 1_000);
  const drivers = await LoadDrivers.create(deployment, cars, "drill", CAR_INTERVAL_MS);
  owned.defer(() => drivers.close());
  log(`${plan.name}: ${cars} cars, one fix per ${CAR_INTERVAL_MS} ms each, ${args.viewers} viewers`);
  const ledger = new LiveLedger();
  const tap = owned.use(await BusTap.open(deployment.engines.natsAddresses, "local", ledger, drivers.trips));
  // Two viewers look at each watched trip, over different edges.
  const watched = spread(drivers.trips, Math.max(1, Math.ceil(args.viewers / 2)));
  const viewers = await Viewers.create(deployment, watched, args.viewers, ledger);
  owned.defer(() => viewers.close());
  const unwatched = spread(
    drivers.trips.filter((trip) => !watched.includes(trip)),
    PROBED,
  );
  drivers.start();
  await pause(WARM_UP_MS);
  await untilPhasesAreStored(deployment);
  const probe = owned.use(await StoreProbe.start(deployment, unwatched, ledger));

  const beforeMs = Date.now();
  viewers.takeSilenceMs();
  await pause(WINDOW_MS);
  const gapBeforeMs = viewers.takeSilenceMs();
  const world: World = {
    ...{ deployment, drivers, viewers, tap, probe, log },
    random: createRandom(args.seed, plan.name),
    kills: args.kills ?? KILLS,
  };
  const fault = await plan.fault(world);
  log(`${plan.name}: over after ${fault.healedAtMs - fault.faultAtMs} ms, pid ${fault.pid}`);
  await pause(Math.max(0, fault.healedAtMs + SETTLE_MS - Date.now()));
  const gapMs = viewers.takeSilenceMs();
  // What was buffered or withheld comes first: until that is through, verdicts of new fixes may be BUFFERED too.
  await until(() => drivers.open <= cars * OPEN_PER_CAR, CATCH_UP_MS, "drivers have verdicts again");
  log(`${plan.name}: verdicts have caught up ${Date.now() - fault.healedAtMs} ms after it`);
  const caughtUpMs = Date.now() - fault.healedAtMs;
  const afterMs = Date.now();
  await pause(WINDOW_MS);
  const endMs = Date.now();

  const { unacked } = await drivers.finish(FINISH_PATIENCE_MS);
  const metrics = await readMetrics(deployment);
  const check = await checkHistory(deployment, drivers.trips, drivers.acked, HISTORY_PATIENCE_MS);
  const takeOvers = fault.takeOversMs ?? [];
  const details: DrillDetails = {
    ackedPerSecond: {
      before: Math.round(drivers.ackedPerSecond(beforeMs, fault.faultAtMs)),
      during: Math.round(drivers.ackedPerSecond(fault.faultAtMs, fault.healedAtMs)),
      after: Math.round(drivers.ackedPerSecond(afterMs, endMs)),
    },
    acksPromised: plan.acksPromised,
    faults: fault.faults ?? 1,
    faultMs: fault.healedAtMs - fault.faultAtMs,
    carIntervalMs: CAR_INTERVAL_MS,
    gapBeforeMs,
    partitionGapMs: tap.times.longestSilenceMs(fault.faultAtMs, afterMs),
    buffered: drivers.buffered,
    unacked,
    refused: drivers.refused,
    staleWritesRefused: total(metrics, "bimride_latest_refused_total"),
    compared: ledger.compared,
    seenAgain: ledger.seenAgain,
    viewerReconnects: viewers.reconnects,
    takeOverMs: { p95: quantiles(takeOvers).p95, each: takeOvers.map(Math.round) },
    measured: {
      storeReads: probe.reads,
      storeReadsFailed: probe.failed,
      busStale: tap.stale,
      caughtUpMs,
      ackP99Ms: Math.round(quantiles(drivers.ackMs).p99),
      ...fault.measured,
    },
    problems: [...(fault.problems ?? []), ...ledger.findings, ...(await endings(deployment))],
  };
  const result: DrillResult = {
    name: plan.name,
    pid: fault.pid,
    faultAt: new Date(fault.faultAtMs).toISOString(),
    acked: check.acked,
    missing: check.missing,
    duplicated: check.duplicated,
    wentBack: ledger.wentBack,
    owners2: ledger.owners2,
    gapMs,
    ok: false,
    ...details,
  };
  details.problems.push(...shortcomings(result, details, rate));
  if (tap.unreadable > 0) details.problems.push(`${tap.unreadable} messages of the bus could not be read`);
  return { ...result, ok: details.problems.length === 0 };
}

function shortcomings(result: DrillResult, details: DrillDetails, rate: number): string[] {
  const problems: string[] = [];
  const none = { ...result, unacked: details.unacked, refused: details.refused };
  for (const name of ["missing", "duplicated", "wentBack", "owners2", "unacked", "refused"] as const)
    if (none[name] !== 0) problems.push(`${name} is ${none[name]}`);
  const { before, during, after } = details.ackedPerSecond;
  if (before < rate) problems.push(`only ${before} fixes/s acked before`);
  if (details.acksPromised && during < rate) problems.push(`only ${during} fixes/s acked during`);
  if (after < rate) problems.push(`only ${after} fixes/s acked after`);
  // Nothing that went back was found, which says nothing where nothing was looked at.
  if (details.compared === 0) problems.push("no live update was looked at");
  if (details.measured.storeReads === 0) problems.push("the stores were not looked at");
  if (details.gapBeforeMs > MAX_GAP_BEFORE_MS)
    problems.push(`a viewer saw nothing for ${details.gapBeforeMs} ms before the fault`);
  return problems;
}

/** Every role has outlived the fault, or runs again, and ends when it is told to. */
async function endings({ roles }: Deployment): Promise<string[]> {
  const dead = roles.filter(({ pid }) => pid === undefined);
  const running = roles.filter(({ pid }) => pid !== undefined);
  const willing = await Promise.all(running.map((role) => role.stop(END_PATIENCE_MS)));
  return [
    ...dead.map(({ name }) => `${name} has died`),
    ...running.filter((_, i) => !willing[i]).map(({ name }) => `${name} did not end when it was told to`),
  ];
}
