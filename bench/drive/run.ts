import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startApp } from "../../internal/app/app.ts";
import { envName } from "../../internal/config/setting.ts";
import { loadSettings } from "../../internal/config/settings.ts";
import { DEFAULT_LIMITS } from "../../internal/core/limits.ts";
import { VirtualClock } from "../../internal/core/virtual-clock.ts";
import { createTelemetry } from "../../internal/telemetry/create-telemetry.ts";
import { startDeploymentEngines } from "../load/deployment-engines.ts";
import { pause } from "../load/pause.ts";
import { type DriveResult, drive } from "./drive.ts";
import { scaledClock } from "./scaled-clock.ts";
import { readTrace } from "./trace.ts";

const USAGE = `usage: npm run drive -- --trace FILE.csv --out OUT.csv [--every S] [--speed X|max] [--plan FILE.route.csv] [--engines embedded|real]
Sends a recorded drive through the real gRPC stream as a trip into a server of its own and writes what a watcher got:
t_ms,lat,lon,version,freshness,late — a row per published state; late=1 marks places that arrived after newer ones and
went into the trail, never to the marker.
exit: 0 sent, 1 failed, 2 wrong usage`;

/** Pauses of the recording that a drive without waits is cut to. */
const MAX_PAUSE_MS = 60_000;
/** Real time from when the server is up to the first fix: for the trip, the driver's stream and the watcher. */
const LEAD_MS = 2_000;

export type DriveArgs = {
  trace: string;
  out: string;
  plan: string;
  everyS: number;
  speed: number | "max";
  engines: "embedded" | "real";
};

const POLL_MS = 20;

/** Runs one drive; the summary goes to stdout as one JSON line. Returns the exit code. */
export async function runDrive(argv: readonly string[]): Promise<number> {
  let args: DriveArgs;
  try {
    args = parse(argv);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    return 2;
  }
  try {
    process.stdout.write(`${JSON.stringify(await driveFile(args))}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`drive: ${reasonOf(error)}\n`);
    return 1;
  }
}

/**
 * Sends one file through a server of its own: fresh temp folder, free ports, one clock for driver, server and watcher;
 * with real engines these are its own too.
 */
export async function driveFile(args: DriveArgs): Promise<DriveResult> {
  const folder = mkdtempSync(join(tmpdir(), "bimride-drive-"));
  try {
    await using engines = args.engines === "real" ? await startDeploymentEngines() : undefined;
    const clock = args.speed === "max" ? new VirtualClock(Date.now()) : scaledClock(args.speed);
    const flags = ["--data", folder, "--http-port", "0", "--grpc-port", "0", "--mqtt-port", "0", "--no-demo"];
    const given = Object.entries(engines?.settings ?? {}).map(([name, text]) => [envName(name), text]);
    const settings = loadSettings(Object.fromEntries(given), flags);
    const telemetry = createTelemetry({ role: "drive", level: "warn", processMetrics: false });
    // What a network delay is in the scaled time must not pass for a wrong clock.
    const clockDeadBandMs =
      DEFAULT_LIMITS.clockDeadBandMs * (args.speed === "max" ? 1 : Math.max(1, args.speed));
    await using app = await startApp(settings, {
      clock,
      telemetry,
      ownKeys: true,
      limits: { clockDeadBandMs },
    });
    // Real leases take their time.
    while (app.partitionsAtHand < app.engines.log.partitions) await pause(POLL_MS);
    const trace = readTrace(args.trace, {
      startMs: clock.now() + LEAD_MS * (args.speed === "max" ? 1 : args.speed),
      everyS: args.everyS,
      maxPauseMs: args.speed === "max" ? MAX_PAUSE_MS : Number.POSITIVE_INFINITY,
    });
    return await drive(app, clock, trace, { out: args.out, ...(args.plan ? { planPath: args.plan } : {}) });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parse(argv: readonly string[]): DriveArgs {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      trace: { type: "string" },
      out: { type: "string" },
      plan: { type: "string", default: "" },
      every: { type: "string", default: "0" },
      speed: { type: "string", default: "max" },
      engines: { type: "string", default: "embedded" },
    },
  });
  const { trace, out, plan } = values;
  if (!trace || !out) throw new RangeError("--trace and --out are needed");
  const { engines } = values;
  if (engines !== "embedded" && engines !== "real")
    throw new RangeError(`${engines} is neither embedded nor real`);
  const everyS = Number(values.every);
  const speed = values.speed === "max" ? "max" : Number(values.speed);
  if (!(everyS >= 0)) throw new RangeError("--every takes seconds");
  if (speed !== "max" && !(speed > 0 && speed <= 1_000))
    throw new RangeError("--speed takes a factor up to 1000, or max");
  return { trace, out, plan, everyS, speed, engines };
}

/** In one line what the person at the terminal can mend (a file that is not there), with the stack what only we can. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error || error.stack === undefined ? error.message : error.stack;
}
