import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { makeKeyFiles } from "../../internal/auth/keys.ts";
import { type TokenMint, tokenMint } from "../../internal/auth/mint.ts";
import { loadSettings } from "../../internal/config/settings.ts";
import { tempFolder } from "../kit/temp-folder.ts";

const LAUNCHER = fileURLToPath(new URL("../../cmd/launch.js", import.meta.url));
const START_TIMEOUT_MS = 60_000;

/** The whole service as `npm start` runs it, that a test can kill and start again on the same ports and data. */
export type RunningApp = AsyncDisposable & {
  readonly url: string;
  readonly mint: TokenMint;
  /** As a power cut does. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data. */
  restart(): Promise<void>;
};

/** Starts the service in demo mode with so many simulated cars, on free ports, with a data folder of its own. */
export async function startRunningApp(demoCars: number): Promise<RunningApp> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const key = await makeKeyFiles(folder.file("data/keys"));
  const { authIssuer, authAudience } = loadSettings({}, []);
  const env = { ...process.env, BIMRIDE_DATA_DIR: folder.file("data"), BIMRIDE_DEMO_CARS: String(demoCars) };
  let child: ChildProcess | undefined;
  let ports = ["0", "0"];
  let url = "";

  async function restart(): Promise<void> {
    const args = [LAUNCHER, "bimride", "--http-port", ports[0]!, "--grpc-port", ports[1]!];
    child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], env });
    const printed = await printedUntilReady(child);
    url = printed.get("ready")!;
    ports = [new URL(url).port, printed.get("grpc")!.split(":").at(-1)!];
  }
  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const ending = child;
    child = undefined;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const exit = once(ending, "exit");
    ending.kill(signal);
    const timer = setTimeout(() => ending.kill("SIGKILL"), 20_000);
    await exit;
    clearTimeout(timer);
  }
  stack.defer(() => end("SIGTERM"));
  await restart();
  const owned = stack.move();
  return {
    get url() {
      return url;
    },
    mint: tokenMint(key, authIssuer, authAudience, () => Date.now()),
    kill: () => end("SIGKILL"),
    restart,
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
