import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const LAUNCHER = fileURLToPath(new URL("../../cmd/launch.js", import.meta.url));
const START_TIMEOUT_MS = 60_000;
/** A drain takes less; what takes longer is ended by force. */
const STOP_TIMEOUT_MS = 15_000;
/** Lets the command drain when its standard input closes, which the death of this process does. */
const GUARD = 'read -r _; kill "$1" 2>/dev/null';

/** One of the project's commands as a process of its own. Disposing it lets it drain. */
export type CommandProcess = AsyncDisposable & {
  readonly pid: number;
  /** What it said at its start: the first word of each line, and the word after it. */
  readonly printed: ReadonlyMap<string, string>;
};

/**
 * Starts the command and waits until it says `ready`. Rejects, with nothing left running, when it ends before that; why
 * stands on standard error, which it shares.
 */
export async function startCommand(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<CommandProcess> {
  const child = spawn(process.execPath, [LAUNCHER, command, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...env },
    // A Ctrl-C at the terminal is for whoever started it: that one ends its children in order.
    detached: true,
  });
  const guard = spawn("/bin/sh", ["-c", GUARD, "guard", String(child.pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  child.once("exit", () => guard.kill("SIGKILL"));
  const printed = await untilReady(child);
  if (!printed.has("ready")) {
    await end(child);
    throw new Error(`${command} did not start`);
  }
  child.stdout!.resume();
  return { pid: child.pid!, printed, [Symbol.asyncDispose]: () => end(child) };
}

async function untilReady(child: ChildProcess): Promise<Map<string, string>> {
  const printed = new Map<string, string>();
  const timer = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
  for await (const line of createInterface({ input: child.stdout! })) {
    const [word = "", value = ""] = line.split(/\s+/);
    printed.set(word, value);
    if (word === "ready") break;
  }
  clearTimeout(timer);
  return printed;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await exit;
  clearTimeout(timer);
}
