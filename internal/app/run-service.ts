import { once } from "node:events";
import { readEnvironment } from "../config/environment.ts";
import { loadSettings, SettingsError } from "../config/settings.ts";
import { EngineError } from "../core/engine-error.ts";
import { BimrideError } from "../core/errors.ts";
import { createTelemetry } from "../telemetry/create-telemetry.ts";
import { startApp } from "./app.ts";
import { DataFolderHeldError } from "./data-folder.ts";
import { endProcess } from "./end-process.ts";
import { PortTakenError } from "./ports.ts";
import { ALL_ROLES, type Role } from "./roles.ts";
import { serviceUsage } from "./service-usage.ts";

/** Problems that a person can mend from one line. */
const KNOWN = [SettingsError, EngineError, DataFolderHeldError, PortTakenError, BimrideError];

/**
 * From the signal until the process has ended, whatever hangs: an engine that answers nobody is not waited for. What is not
 * stored by then is in the log, and read from there by whoever comes next, or in the spool.
 */
const END_WITHIN_MS = 10_000;

/**
 * Runs a process of the service until SIGINT or SIGTERM, then ends it: prints its ports, and `ready` once it is. A start
 * that fails says why on standard error, a line for each thing that is wrong, and exits with 1, or with 2 when the command
 * line is; so does an end that takes too long.
 * @param name of the process, on log lines
 */
export async function runService(name: string, roles: ReadonlySet<Role>): Promise<void> {
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const argv = process.argv.slice(2);
  if (argv.includes("--help")) {
    print(serviceUsage(name, roles));
    return;
  }
  const stop = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  void stop.then(() => {
    setTimeout(() => {
      process.stderr.write(`not all could be ended within ${END_WITHIN_MS / 1_000} s\n`);
      endProcess(1);
    }, END_WITHIN_MS).unref();
  });
  try {
    await run(name, roles, { argv, print, stop });
    endProcess(0);
  } catch (error) {
    const known = KNOWN.some((kind) => error instanceof kind);
    process.stderr.write(`${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
    endProcess(error instanceof SettingsError && error.misused ? 2 : 1);
  }
}

type Terminal = { argv: string[]; print(line: string): void; stop: Promise<unknown> };

async function run(name: string, roles: ReadonlySet<Role>, { argv, print, stop }: Terminal): Promise<void> {
  const settings = loadSettings(readEnvironment(), argv, rolesDefaults(roles));
  const { telemetryLevel: level, telemetryFormat: format } = settings;
  const telemetry = createTelemetry({ role: name, level, format });
  const colours = process.stdout.isTTY;
  await using app = await startApp(settings, { telemetry, print, colours, roles });
  print(`http  ${app.httpUrl}`);
  if (app.grpcAddress) print(`grpc  ${app.grpcAddress}`);
  if (app.mqttAddress) print(`mqtt  ${app.mqttAddress}`);
  if (roles === ALL_ROLES) print(`data  ${settings.dataDir}`);
  let isStopping = false;
  void stop.then(() => {
    isStopping = true;
  });
  const ready = app.ready().then(() => {
    if (isStopping) return;
    print(`ready ${app.httpUrl}`);
    for (const line of app.invitation) print(line);
  });
  await Promise.race([ready, stop]);
  await stop;
  print("stopping");
}

/** A role process works on the real engines and has no demo of its own unless it is told so. */
function rolesDefaults(roles: ReadonlySet<Role>): Readonly<Record<string, string>> {
  return roles === ALL_ROLES ? {} : { engines: "real", "demo.enabled": "false" };
}
