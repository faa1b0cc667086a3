import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Engine, StartOptions } from "./engine.ts";
import { exchange } from "./exchange.ts";
import { findProgram, PROJECT } from "./find-program.ts";
import { freePort } from "./free-port.ts";
import { imageOf } from "./image-of.ts";
import { startContainer } from "./server-container.ts";
import { startServer, workFolder } from "./server-process.ts";
import { engineOf, listening, startEngine } from "./start-engine.ts";

/** The configurations that ship in deploy/nats. */
export type NatsProfile = "survives-a-crash" | "acked-on-disk";

export type NatsOptions = StartOptions & {
  /** Extra lines of the server's configuration: users, TLS, limits. A `jetstream` block in it replaces the profile's. */
  config?: string;
  /** Without it survives-a-crash, as in production. */
  profile?: NatsProfile;
  /** Without it bimride-<port>. */
  serverName?: string;
};

/** How to get a native server, in a sentence. */
export const NATS_HOW_TO_GET =
  "Get it with `npm run engines` (needs Go), or put nats-server 2.12 or newer on the PATH.";
const INNER_PORT = 4222;
const HOST = "127.0.0.1";
const START_TIMEOUT_MS = 20_000;

/**
 * Starts a NATS server with JetStream on file storage.
 * @throws EngineMissing when there is no way to one on this machine
 */
export async function startNats(options: NatsOptions = {}): Promise<Engine> {
  const program = findProgram("nats-server");
  return startEngine({
    name: "nats",
    howToGet: NATS_HOW_TO_GET,
    native: program === undefined ? undefined : () => startNative(program, options),
    container: options.folder === undefined ? () => startInContainer(options) : undefined,
  });
}

/** Starts a native server. @throws PortTaken when the port was taken in between */
export async function startNatsNode(program: string, options: NatsOptions): Promise<Engine> {
  return engineOf("nats", "native", await startNative(program, options));
}

async function startNative(program: string, options: NatsOptions) {
  const folder = await workFolder("nats", options.folder);
  const port = options.port ?? (await freePort());
  const configuration = join(folder.path, "nats.conf");
  const listen = `listen: "${HOST}:${port}"`;
  await writeFile(configuration, [listen, profileText(options.profile), options.config ?? "", ""].join("\n"));
  const server = await startServer({
    name: "nats-server",
    command: program,
    args: ["-c", configuration],
    env: {
      NATS_NAME: options.serverName ?? `bimride-${port}`,
      NATS_STORE: JSON.stringify(join(folder.path, "store")),
    },
    host: HOST,
    port,
    folder,
    probe: probeNats,
    startTimeoutMs: START_TIMEOUT_MS,
  });
  return listening(server, HOST, port);
}

function startInContainer(options: NatsOptions) {
  return startContainer({
    image: imageOf("nats"),
    innerPort: INNER_PORT,
    port: options.port,
    command: ["-c", "/bimride.conf"],
    env: { NATS_NAME: options.serverName ?? "bimride", NATS_STORE: '"/data"' },
    files: [
      { target: "/bimride.conf", content: `${profileText(options.profile)}\n${options.config ?? ""}\n` },
    ],
    probe: probeNats,
    startTimeoutMs: START_TIMEOUT_MS,
  });
}

/** The shipped configuration, so that every test of NATS is also one of it. */
function profileText(profile: NatsProfile = "survives-a-crash"): string {
  return readFileSync(join(PROJECT, "deploy", "nats", `${profile}.conf`), "utf8");
}

/** Reads the INFO line that a NATS server greets with. */
export async function probeNats(host: string, port: number): Promise<string> {
  const greeting = await exchange({ host, port }, undefined, (answer) => {
    const line = answer.toString("utf8").split("\r\n");
    return line.length > 1 ? line[0] : undefined;
  });
  if (!greeting.startsWith("INFO ")) throw new Error("what answers is no NATS server");
  const info = JSON.parse(greeting.slice("INFO ".length)) as { version: string; jetstream?: boolean };
  if (info.jetstream !== true) throw new Error("the NATS server is without JetStream");
  return info.version;
}
