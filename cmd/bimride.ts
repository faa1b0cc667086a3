import { once } from "node:events";
import { startApp } from "../internal/app/app.ts";
import { DataFolderHeldError } from "../internal/app/data-folder.ts";
import { PortTakenError } from "../internal/app/ports.ts";
import { readEnvironment } from "../internal/config/environment.ts";
import { loadSettings, SettingsError } from "../internal/config/settings.ts";
import { createTelemetry } from "../internal/telemetry/create-telemetry.ts";

const print = (line: string) => process.stdout.write(`${line}\n`);
const stop = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
try {
  const settings = loadSettings(readEnvironment(), process.argv.slice(2));
  const { telemetryLevel: level, telemetryFormat: format } = settings;
  const telemetry = createTelemetry({ role: "bimride", level, format });
  await using app = await startApp(settings, { telemetry, print });
  print(`http  ${app.httpUrl}`);
  print(`grpc  ${app.grpcAddress}`);
  print(`data  ${settings.dataDir}`);
  await app.ready();
  print(`ready ${app.httpUrl}`);
  await stop;
  print("stopping");
} catch (error) {
  const known = [SettingsError, DataFolderHeldError, PortTakenError].some((kind) => error instanceof kind);
  process.stderr.write(`${known ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
  process.exitCode = 1;
}
