import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { makeKeyFiles } from "../../internal/auth/keys.ts";
import { tempFolder } from "./temp-folder.ts";

const LAUNCHER = fileURLToPath(new URL("../../cmd/launch.js", import.meta.url));
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;

/** A running `npm start` with a data folder of its own on free ports. */
export type ServiceProcess = AsyncDisposable & {
  readonly httpUrl: string;
  readonly grpcAddress: string;
  /** Environment that makes bimctl use the same data folder and so the same keys. */
  readonly env: NodeJS.ProcessEnv;
};

/** Starts the service as the README does, with the given flags besides, and waits until it says ready. */
export async function startService(
  flags: readonly string[],
  env: Record<string, string> = {},
): Promise<ServiceProcess> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  await makeKeyFiles(folder.file("data/keys"));
  const childEnv = { ...process.env, ...env, BIMRIDE_DATA_DIR: folder.file("data") };
  const child = spawn(
    process.execPath,
    [LAUNCHER, "bimride", "--http-port", "0", "--grpc-port", "0", ...flags],
    { stdio: ["ignore", "pipe", "inherit"], env: childEnv },
  );
  stack.defer(() => stop(child));
  const printed = await printedUntilReady(child);
  const owned = stack.move();
  return {
    httpUrl: printed.get("ready") ?? "",
    grpcAddress: printed.get("grpc") ?? "",
    env: childEnv,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The first words of the lines that a start prints, with what follows them. */
async function printedUntilReady(child: ChildProcess): Promise<Map<string, string>> {
  const printed = new Map<string, string>();
  const timer = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
  try {
    for await (const line of createInterface({ input: child.stdout! })) {
      const [word = "", value = ""] = line.split(/\s+/);
      printed.set(word, value);
      if (word === "ready") break;
    }
  } finally {
    clearTimeout(timer);
  }
  if (!printed.has("ready")) throw new Error(`the service did not start: ${[...printed].join("; ")}`);
  child.stdout!.resume();
  return printed;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
  await exit;
  clearTimeout(timer);
}
