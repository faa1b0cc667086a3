import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Role } from "../../internal/app/roles.ts";
import { envName } from "../../internal/config/setting.ts";
import { freePort } from "../../test/kit/engines/free-port.ts";
import { startServer, workFolder } from "../../test/kit/engines/server-process.ts";

/** Settings by name, like `gateway.spool_max_bytes`. */
export type SettingTexts = Readonly<Record<string, string>>;

export type RoleProcessOptions = {
  role: Role;
  /** In messages and logs, like `gateway-2`. */
  name: string;
  settings: SettingTexts;
  /** Of its data and its log. Kept at the end; without it a temporary one, which is removed. */
  folder?: string;
  /** Taken instead of free ones. */
  ports?: { http?: number | undefined; grpc?: number | undefined; mqtt?: number | undefined };
};

/** A gateway, processor or edge as a process of its own. Disposing ends it; so does the end of this process. */
export type RoleProcess = AsyncDisposable & {
  readonly role: Role;
  readonly name: string;
  /** Base address of its HTTP port; the same for all its lives. */
  readonly httpUrl: string;
  /** host:port of the drivers' port; empty but for a gateway. */
  readonly grpcAddress: string;
  /** host:port of the devices' MQTT port; empty but for a gateway. */
  readonly mqttAddress: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** What it wrote to its terminal, all lives. */
  readonly logFile: string;
  /** Sends the signal. Resolves when the process is gone; at once for SIGSTOP and SIGCONT. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Asks it to drain and end; after so long it is ended all the same, and the answer is false. */
  stop(patienceMs: number): Promise<boolean>;
  /** Again after its end, with the same ports and folder; resolves when it is ready. */
  start(): Promise<void>;
};

const LAUNCHER = fileURLToPath(new URL("../../cmd/launch.js", import.meta.url));
const HOST = "127.0.0.1";
/** How long a start may take, replay of the log included. */
const START_TIMEOUT_MS = 60_000;

/** Starts a role on free ports and resolves when it is ready. Rejects with the end of its log when it is not. */
export async function startRole(options: RoleProcessOptions): Promise<RoleProcess> {
  const { role, name, settings, ports = {} } = options;
  const folder = await workFolder(name, options.folder);
  const httpPort = ports.http ?? (await freePort());
  const grpcPort = role === "gateway" ? (ports.grpc ?? (await freePort())) : 0;
  const mqttPort = role === "gateway" ? Number(settings["mqtt.port"] ?? ports.mqtt ?? (await freePort())) : 0;
  const all: SettingTexts = {
    "telemetry.level": "warn",
    "telemetry.format": "plain",
    "mqtt.port": String(mqttPort),
    ...settings,
    "http.port": String(httpPort),
    "grpc.port": String(grpcPort),
    "data.dir": settings["data.dir"] ?? join(folder.path, "data"),
  };
  const server = await startServer({
    name,
    command: process.execPath,
    args: [LAUNCHER, role],
    env: Object.fromEntries(Object.entries(all).map(([key, text]) => [envName(key), text])),
    host: HOST,
    port: httpPort,
    folder,
    probe: probeReady,
    startTimeoutMs: START_TIMEOUT_MS,
  });
  return {
    role,
    name,
    httpUrl: `http://${HOST}:${httpPort}`,
    grpcAddress: grpcPort === 0 ? "" : `${HOST}:${grpcPort}`,
    mqttAddress: mqttPort === 0 ? "" : `${HOST}:${mqttPort}`,
    logFile: join(folder.path, "server.log"),
    get pid() {
      return server.pid;
    },
    kill: (signal) => server.kill(signal),
    start: () => server.start(),
    async stop(patienceMs) {
      let willing = true;
      const timer = setTimeout(() => {
        willing = false;
        void server.kill("SIGKILL").catch(() => undefined); // it ended in this very moment
      }, patienceMs);
      await server.kill("SIGTERM").finally(() => clearTimeout(timer));
      return willing;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function probeReady(host: string, port: number): Promise<string> {
  const answer = await fetch(`http://${host}:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`not ready: ${text}`);
  return "ready";
}
