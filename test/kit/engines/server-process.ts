import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Probe } from "./engine.ts";
import { PortTaken } from "./free-port.ts";
import { untilServed } from "./until-served.ts";

/** How to start a server. */
export type ServerPlan = {
  /** In messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly host: string;
  readonly port: number;
  /** What it reads and writes; its output goes to server.log in it. */
  readonly folder: WorkFolder;
  readonly probe: Probe;
  readonly startTimeoutMs: number;
};

/** A folder that a server works in: temporary ones are removed at the end, given ones are kept. */
export type WorkFolder = { readonly path: string; readonly temporary: boolean };

/** A native server under the kit's care. When this process dies, however it does, the server is ended too. */
export type ServerProcess = AsyncDisposable & {
  readonly version: string;
  readonly pid: number | undefined;
  kill(signal: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
};

/** The given folder, made when missing, or a temporary one. */
export async function workFolder(name: string, given: string | undefined): Promise<WorkFolder> {
  if (given === undefined)
    return { path: await mkdtemp(join(tmpdir(), `bimride-${name}-`)), temporary: true };
  await mkdir(given, { recursive: true });
  return { path: given, temporary: false };
}

/** How long a server with data to keep may take to end by itself. */
const STOP_TIMEOUT_MS = 20_000;

/** Ends the server and removes its folder when its standard input closes, which the death of this process does. */
const GUARD = 'read -r _; kill -9 "$1" 2>/dev/null; [ -z "$2" ] || rm -rf "$2"';

/**
 * Starts a server and resolves when it serves.
 * @throws PortTaken when somebody else has its port; an error with the last lines of its log when it does not come up.
 *   Nothing is left behind then, but for a given folder.
 */
export async function startServer(plan: ServerPlan): Promise<ServerProcess> {
  const { folder } = plan;
  const log = join(folder.path, "server.log");
  let running: { child: ChildProcess; guard: ChildProcess } | undefined;
  let version = "";

  const start = async () => {
    if (running !== undefined) throw new Error(`${plan.name} runs already`);
    const child = spawnInto(log, plan);
    running = { child, guard: spawnGuard(child, folder) };
    child.once("exit", () => {
      running?.guard.kill("SIGKILL");
      running = undefined;
    });
    let spawnFault: Error | undefined;
    child.once("error", (error) => {
      spawnFault = error;
      running = undefined;
    });
    try {
      version = await untilServed(plan.probe, plan.host, plan.port, plan.startTimeoutMs, () => {
        if (running?.child !== child) throw spawnFault ?? new Error("it ended");
      });
      if (running?.child !== child) throw new Error("it ended, and another server has its port");
    } catch (error) {
      await end();
      throw await explain(plan, log, error);
    }
  };
  const kill = async (signal: NodeJS.Signals) => {
    if (running === undefined) throw new Error(`${plan.name} does not run`);
    const { child } = running;
    if (signal === "SIGSTOP" || signal === "SIGCONT") return void child.kill(signal);
    child.ref();
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  };
  const end = async () => {
    if (running === undefined) return;
    const { child } = running;
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    child.kill("SIGCONT");
    await kill(folder.temporary ? "SIGKILL" : "SIGTERM").finally(() => clearTimeout(timer));
  };
  const removeFolder = () =>
    folder.temporary ? rm(folder.path, { recursive: true, force: true, maxRetries: 3 }) : undefined;

  try {
    await start();
  } catch (error) {
    await removeFolder();
    throw error;
  }
  return {
    get version() {
      return version;
    },
    get pid() {
      return running?.child.pid;
    },
    kill,
    start,
    async [Symbol.asyncDispose]() {
      await end();
      await removeFolder();
    },
  };
}

/** In a process group of its own, so that Ctrl-C in a terminal leaves it to us. It does not keep this process alive. */
function spawnInto(log: string, plan: ServerPlan): ChildProcess {
  const output = openSync(log, "a");
  const child = spawn(plan.command, plan.args, {
    cwd: plan.folder.path,
    env: { ...process.env, ...plan.env },
    stdio: ["ignore", output, output],
    detached: true,
  });
  closeSync(output);
  child.unref();
  return child;
}

function spawnGuard(child: ChildProcess, folder: WorkFolder): ChildProcess {
  const doomed = folder.temporary ? folder.path : "";
  const guard = spawn("/bin/sh", ["-c", GUARD, "engine-guard", String(child.pid ?? ""), doomed], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.on("error", () => undefined); // without a shell the server is still ended by disposing it
  (guard.stdin as unknown as { unref(): void }).unref();
  guard.unref();
  return guard;
}

async function explain(plan: ServerPlan, log: string, error: unknown): Promise<Error> {
  const lines = (await readFile(log, "utf8").catch(() => "")).trimEnd().split("\n").slice(-15).join("\n  ");
  const message = `${plan.name} did not start at ${plan.host}:${plan.port}: ${String(error)}\n  ${lines}`;
  return /address already in use|another server has its port/i.test(message)
    ? new PortTaken(message, { cause: error })
    : new Error(message, { cause: error });
}
