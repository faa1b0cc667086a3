import type { NatsProfile } from "../../test/kit/engines/nats.ts";
import { checkHistory } from "../load/checker.ts";
import { Deployment } from "../load/deployment.ts";
import { FIX_INTERVAL_MS, LoadDrivers, pause } from "../load/load-drivers.ts";
import { readMetrics, subtract, untilPhasesAreStored } from "../load/metrics.ts";
import type { Service } from "../load/service.ts";
import { ServiceProcess } from "../load/service-process.ts";
import { Viewers } from "../load/viewers.ts";
import { atMost, type CaseResult, median, type Quantiles, quantiles, type Target } from "../report.ts";

export type RiverArgs = {
  rate: number;
  viewers: number;
  durationS: number;
  warmUpS: number;
  runs: number;
  engines: "embedded" | "real";
  /** What an ack of NATS means, with real engines. */
  profile: NatsProfile;
};

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
  /** By role, and `total`. */
  cpuUsPerFix: Record<string, number>;
  fixesPerMessage: number;
  bytesPerUpdate: number;
};

/**
 * The whole river: in one server process on embedded engines, or as a gateway, a processor and an edge on the real ones,
 * one server each, on this machine too. Load and viewers are in this process: cars at one fix per 4 s, each with its own
 * connection and trip, all on their way when the measurement begins; latencies count from when
 * a fix was due. Several runs, the median of each figure.
 */
export async function river(args: RiverArgs, log: (line: string) => void): Promise<CaseResult> {
  const runs: Run[] = [];
  let versions: Record<string, string> = {};
  for (let n = 1; n <= args.runs; n++) {
    log(
      `run ${n} of ${args.runs}: ${args.rate} fixes/s, ${args.viewers} viewers, ${args.warmUpS} + ${args.durationS} s`,
    );
    await using service = await startService(args);
    versions = service instanceof Deployment ? service.engines.versions : {};
    runs.push(await oneRun(service, args, log));
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
    args,
    versions,
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
      cpuUsPerFix: Object.fromEntries(
        Object.keys(runs[0]!.cpuUsPerFix).map((role) => [role, middle((run) => run.cpuUsPerFix[role]!)]),
      ),
      fixesPerMessage: middle((run) => run.fixesPerMessage),
      bytesPerUpdate: middle((run) => run.bytesPerUpdate),
    },
    targets: [
      ...latencyTargets(args, spread((run) => run.ackMs).p99, deviceToViewerMs),
      ...(["missing", "duplicated", "wentBack"] as const).map((name) =>
        atMost(
          name,
          0,
          sum((run) => run[name]),
        ),
      ),
      atMost(
        "bytesPerUpdate",
        120,
        middle((run) => run.bytesPerUpdate),
      ),
    ],
  };
}

/** Of docs/BENCHMARKS.md, by engines, profile and load. */
function latencyTargets(args: RiverArgs, ackP99Ms: number, { p50, p99 }: Quantiles): Target[] {
  if (args.engines === "embedded") return [atMost("deviceToViewerMs.p99", 50, p99)];
  if (args.rate <= 200)
    return [atMost("deviceToViewerMs.p50", 5, p50), atMost("deviceToViewerMs.p99", 15, p99)];
  const [ackMs, viewerMs] = args.profile === "acked-on-disk" ? [100, 200] : [25, 60];
  return [atMost("ackMs.p99", ackMs, ackP99Ms), atMost("deviceToViewerMs.p99", viewerMs, p99)];
}

function startService({ engines, profile }: RiverArgs): Promise<Service> {
  if (engines === "real")
    return Deployment.start({ natsProfile: profile, settings: { "telemetry.level": "error" } });
  return ServiceProcess.start(["--no-demo"], { BIMRIDE_TELEMETRY_LEVEL: "error" });
}

async function oneRun(server: Service, args: RiverArgs, log: (line: string) => void): Promise<Run> {
  const cars = Math.max(1, Math.round((args.rate * FIX_INTERVAL_MS) / 1000));
  const drivers = await LoadDrivers.create(server, cars, "river");
  log(`${cars} cars connected`);
  const viewers = await Viewers.create(server, drivers.trips, args.viewers);
  drivers.start();
  await pause(args.warmUpS * 1000);
  await untilPhasesAreStored(server);
  // What the load collects now it need not collect while it measures (cmd/bench.ts).
  globalThis.gc?.();
  drivers.resetTimings();
  viewers.resetTimings();
  const before = { sent: drivers.sent, cpu: server.cpuSecondsByRole(), metrics: await readMetrics(server) };
  await pause(args.durationS * 1000);
  const sent = drivers.sent - before.sent;
  const cpuUsPerFix = cpuPerFix(before.cpu, server.cpuSecondsByRole(), sent);
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
    cpuUsPerFix,
    fixesPerMessage: metrics.fixesPerMessage,
    bytesPerUpdate,
  };
}

type CpuSeconds = ReturnType<Service["cpuSecondsByRole"]>;

function cpuPerFix(before: CpuSeconds, after: CpuSeconds, fixes: number): Record<string, number> {
  const used = Object.entries(after).map(([role, seconds]) => [role, seconds - (before[role] ?? 0)] as const);
  const total = used.reduce((sum, [, seconds]) => sum + seconds, 0);
  const perFix = (seconds: number) => Math.round((seconds * 1e6) / Math.max(1, fixes));
  const byRole = used.length > 1 ? used.map(([role, seconds]) => [role, perFix(seconds)] as const) : [];
  return { ...Object.fromEntries(byRole), total: perFix(total) };
}
