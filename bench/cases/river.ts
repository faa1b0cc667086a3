import { checkHistory } from "../load/checker.ts";
import { FIX_INTERVAL_MS, LoadDrivers, pause } from "../load/load-drivers.ts";
import { readMetrics, subtract } from "../load/metrics.ts";
import { ServiceProcess } from "../load/service-process.ts";
import { Viewers } from "../load/viewers.ts";
import { atMost, type CaseResult, median, type Quantiles, quantiles } from "../report.ts";

export type RiverArgs = { rate: number; viewers: number; durationS: number; warmUpS: number; runs: number };

type Run = {
  offered: number;
  sent: number;
  acked: number;
  missing: number;
  duplicated: number;
  wentBack: number;
  ackMs: Quantiles;
  deviceToViewerMs: Quantiles;
  hopsMs: Record<string, Quantiles>;
  cpuUsPerFix: number;
  fixesPerMessage: number;
  bytesPerUpdate: number;
};

/**
 * The whole river in one server process on embedded engines, load and viewers in this one: cars at one fix per 4 s, each
 * with its own connection and trip; latencies count from when a fix was due. Several runs, the median of each figure.
 */
export async function river(args: RiverArgs, log: (line: string) => void): Promise<CaseResult> {
  const runs: Run[] = [];
  for (let n = 1; n <= args.runs; n++) {
    log(
      `run ${n} of ${args.runs}: ${args.rate} fixes/s, ${args.viewers} viewers, ${args.warmUpS} + ${args.durationS} s`,
    );
    runs.push(await oneRun(args, log));
  }
  const middle = (pick: (run: Run) => number) => median(runs.map(pick));
  const spread = (pick: (run: Run) => Quantiles): Quantiles => ({
    n: middle((run) => pick(run).n),
    p50: middle((run) => pick(run).p50),
    p95: middle((run) => pick(run).p95),
    p99: middle((run) => pick(run).p99),
    max: middle((run) => pick(run).max),
  });
  const deviceToViewerMs = spread((run) => run.deviceToViewerMs);
  const sum = (pick: (run: Run) => number) => runs.reduce((total, run) => total + pick(run), 0);
  return {
    args: { ...args, engines: "embedded" },
    seed: 1,
    runs: args.runs,
    durationS: args.durationS,
    results: {
      offeredFixesPerSecond: args.rate,
      fixesPerSecond: middle((run) => run.sent / args.durationS),
      acked: sum((run) => run.acked),
      missing: sum((run) => run.missing),
      duplicated: sum((run) => run.duplicated),
      wentBack: sum((run) => run.wentBack),
      ackMs: spread((run) => run.ackMs),
      deviceToViewerMs,
      hopsMs: Object.fromEntries(
        Object.keys(runs[0]!.hopsMs).map((hop) => [hop, spread((run) => run.hopsMs[hop]!)]),
      ),
      cpuUsPerFix: { total: middle((run) => run.cpuUsPerFix) },
      fixesPerMessage: middle((run) => run.fixesPerMessage),
      bytesPerUpdate: middle((run) => run.bytesPerUpdate),
    },
    targets: [
      atMost("deviceToViewerMs.p99", 50, deviceToViewerMs.p99),
      atMost(
        "missing",
        0,
        sum((run) => run.missing),
      ),
      atMost(
        "duplicated",
        0,
        sum((run) => run.duplicated),
      ),
      atMost(
        "wentBack",
        0,
        sum((run) => run.wentBack),
      ),
      atMost(
        "bytesPerUpdate",
        120,
        middle((run) => run.bytesPerUpdate),
      ),
    ],
  };
}

async function oneRun(args: RiverArgs, log: (line: string) => void): Promise<Run> {
  await using server = await ServiceProcess.start(["--no-demo"], { BIMRIDE_TELEMETRY_LEVEL: "error" });
  const cars = Math.max(1, Math.round((args.rate * FIX_INTERVAL_MS) / 1000));
  const drivers = await LoadDrivers.create(server, cars, "river");
  log(`${cars} cars connected`);
  const viewers = await Viewers.create(server, drivers.trips, args.viewers);
  drivers.start();
  await pause(args.warmUpS * 1000);
  drivers.resetTimings();
  viewers.resetTimings();
  const before = { sent: drivers.sent, cpu: server.cpuSeconds(), metrics: await readMetrics(server) };
  await pause(args.durationS * 1000);
  const sent = drivers.sent - before.sent;
  const cpuSeconds = server.cpuSeconds() - before.cpu;
  const metrics = subtract(await readMetrics(server), before.metrics);
  const ackMs = quantiles(drivers.ackMs);
  const deviceToViewerMs = quantiles(viewers.deviceToViewerMs);
  const bytesPerUpdate = Math.max(0, ...viewers.updateBytes);
  const { unacked } = await drivers.finish(10_000);
  if (unacked > 0) log(`${unacked} fixes stayed without an answer`);
  const check = await checkHistory(server, drivers.trips, drivers.acked);
  const { wentBack } = viewers;
  await viewers.close();
  await drivers.close();
  return {
    offered: args.rate,
    sent,
    acked: check.acked,
    missing: check.missing,
    duplicated: check.duplicated,
    wentBack,
    ackMs,
    deviceToViewerMs,
    hopsMs: metrics.hopsMs,
    cpuUsPerFix: Math.round((cpuSeconds * 1e6) / Math.max(1, sent)),
    fixesPerMessage: metrics.fixesPerMessage,
    bytesPerUpdate,
  };
}
