import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { makeKeyFiles } from "../../internal/auth/keys.ts";
import { type TokenMint, tokenMint } from "../../internal/auth/mint.ts";
import type { Role } from "../../internal/auth/principal.ts";
import { loadSettings } from "../../internal/config/settings.ts";
import { cpuSecondsOf } from "./process-cpu.ts";
import type { Service } from "./service.ts";

const LAUNCHER = fileURLToPath(new URL("../../cmd/launch.js", import.meta.url));
/** How long a start may take, replay of the log included. */
const START_TIMEOUT_MS = 60_000;
/** How long a stop may take before it is forced. */
const STOP_TIMEOUT_MS = 20_000;
const TOKEN_TTL_MS = 12 * 3_600_000;

/**
 * The whole service as `npm start` runs it, as a process of its own with a data folder of its own, on free ports. It can
 * be killed and started again on the same ports, data and keys.
 */
export class ServiceProcess implements Service {
  readonly #folder: string;
  readonly #flags: readonly string[];
  readonly #mint: TokenMint;
  /** Environment that makes bimctl use the same data folder and so the same keys. */
  readonly env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #ports = ["--http-port", "0", "--grpc-port", "0", "--mqtt-port", "0"];
  httpUrl = "";
  grpcAddress = "";
  mqttAddress = "";

  private constructor(
    folder: string,
    flags: readonly string[],
    env: Record<string, string>,
    mint: TokenMint,
  ) {
    this.#folder = folder;
    this.#flags = flags;
    this.#mint = mint;
    this.env = { ...process.env, ...env, BIMRIDE_DATA_DIR: join(folder, "data") };
  }

  /** Starts the service with the given flags besides, and waits until it says ready. */
  static async start(flags: readonly string[], env: Record<string, string> = {}): Promise<ServiceProcess> {
    const folder = mkdtempSync(join(tmpdir(), "bimride-service-"));
    const key = await makeKeyFiles(join(folder, "data", "keys"));
    const { authIssuer, authAudience } = loadSettings({}, []);
    const mint = tokenMint(key, authIssuer, authAudience, () => Date.now());
    const service = new ServiceProcess(folder, flags, env, mint);
    await using stack = new AsyncDisposableStack();
    stack.use(service);
    await service.restart();
    stack.move();
    return service;
  }

  /** Starts it again on the same ports and data. */
  async restart(): Promise<void> {
    const child = spawn(process.execPath, [LAUNCHER, "bimride", ...this.#ports, ...this.#flags], {
      stdio: ["ignore", "pipe", "inherit"],
      env: this.env,
    });
    this.#child = child;
    const printed = await printedUntilReady(child);
    this.httpUrl = printed.get("ready") ?? "";
    this.grpcAddress = printed.get("grpc") ?? "";
    this.mqttAddress = printed.get("mqtt") ?? "";
    this.#ports = [
      "--http-port",
      new URL(this.httpUrl).port,
      "--grpc-port",
      this.grpcAddress.split(":").at(-1) ?? "",
      "--mqtt-port",
      this.mqttAddress.split(":").at(-1) ?? "",
    ];
  }

  get edgeUrls(): string[] {
    return [this.httpUrl];
  }

  get gatewayAddresses(): string[] {
    return [this.grpcAddress];
  }

  get nodeUrls(): string[] {
    return [this.httpUrl];
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** A token of the service's own keys, good for half a day unless said otherwise. */
  async mint(role: Role, subject: string, ttlMs = TOKEN_TTL_MS): Promise<string> {
    return (await this.#mint({ role, subject, ttlMs })).token;
  }

  /** Ends it without a warning, as a power switch does. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** CPU seconds (user and system) used so far, as the operating system counts them. */
  cpuSeconds(): number {
    return cpuSecondsOf(this.pid);
  }

  cpuSecondsByRole(): { all: number } {
    return { all: this.cpuSeconds() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exit;
    clearTimeout(timer);
  }
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
