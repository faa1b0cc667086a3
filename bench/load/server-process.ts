import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { jwksPathOf, makeKeyFiles } from "../../internal/auth/keys.ts";
import { tokenMint } from "../../internal/auth/mint.ts";
import type { Role } from "../../internal/auth/principal.ts";

const LAUNCHER = new URL("../../cmd/launch.js", import.meta.url).pathname;
/** How long a start may take, replay of the log included. */
const START_TIMEOUT_MS = 60_000;
const TOKEN_TTL_MS = 12 * 3_600_000;
/** Clock ticks per second of /proc/PID/stat: 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100;

/** The whole service as a process of its own, on free ports, with a data folder and keys that it keeps over restarts. */
export class ServerProcess implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "bimride-bench-"));
  #mint: ReturnType<typeof tokenMint> | undefined;
  #child: ChildProcess | undefined;
  #ports: string[] = ["--http-port", "0", "--grpc-port", "0"];
  httpUrl = "";
  grpcAddress = "";

  /** Starts it the first time or again; the ports stay the same. */
  async start(): Promise<void> {
    if (!this.#mint) {
      const key = await makeKeyFiles(join(this.#folder, "keys"));
      this.#mint = tokenMint(key, "bimride", "bimride", () => Date.now());
    }
    const child = spawn(
      process.execPath,
      [LAUNCHER, "bimride", "--data", join(this.#folder, "data"), "--no-demo", ...this.#ports],
      {
        stdio: ["ignore", "pipe", "inherit"],
        env: {
          ...process.env,
          BIMRIDE_AUTH_JWKS_FILE: jwksPathOf(join(this.#folder, "keys")),
          BIMRIDE_TELEMETRY_LEVEL: "error",
        },
      },
    );
    this.#child = child;
    const timer = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
    try {
      for await (const line of createInterface({ input: child.stdout! })) {
        const [word, value = ""] = line.split(/\s+/);
        if (word === "grpc") this.grpcAddress = value;
        if (word === "ready") this.httpUrl = value;
        if (word === "ready") break;
      }
    } finally {
      clearTimeout(timer);
    }
    if (child.exitCode !== null || child.signalCode !== null || !this.httpUrl)
      throw new Error("the server did not start");
    child.stdout!.resume();
    this.#ports = [
      "--http-port",
      new URL(this.httpUrl).port,
      "--grpc-port",
      this.grpcAddress.split(":").at(-1)!,
    ];
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** A token good for half a day. */
  async mint(role: Role, subject: string): Promise<string> {
    return (await this.#mint!({ role, subject, ttlMs: TOKEN_TTL_MS })).token;
  }

  /** Ends it without a warning, as a power switch does. */
  async kill(): Promise<void> {
    await this.#signal("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#signal("SIGTERM");
  }

  /** CPU seconds (user and system) used so far, as the operating system counts them. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }
}
