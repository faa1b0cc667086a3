import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { goCommand } from "./go.ts";

const run = promisify(execFile);
const SOURCES = fileURLToPath(new URL("../../examples/go-driver", import.meta.url));

/** Generates the contract's Go code, looks the driver over with `go vet` and builds it, as its README says. */
export async function buildGoDriver(into: string): Promise<string> {
  const go = goCommand ?? "go";
  const options = {
    cwd: SOURCES,
    env: { ...process.env, PATH: `${dirname(go)}:${dirname(process.execPath)}:${process.env.PATH}` },
  };
  const program = join(into, "go-driver");
  await run(go, ["generate"], options);
  await run(go, ["vet", "./..."], options);
  await run(go, ["build", "-o", program, "."], options);
  return program;
}

/** A running driver of examples/go-driver. */
export class GoDriver {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  /** What it logged, a line each. */
  readonly lines: string[] = [];

  constructor(program: string, flags: Readonly<Record<string, string | number>>) {
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    this.#child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#exited = once(this.#child, "exit");
    createInterface({ input: this.#child.stderr! }).on("line", (line) => this.lines.push(line));
  }

  /** How often it was welcomed. */
  get connects(): number {
    return this.lines.filter((line) => line.includes("INFO connected")).length;
  }

  /** Fixes that were answered for. */
  get answered(): number {
    return this.lines.reduce(
      (sum, line) => sum + Number(/INFO answered fixes=(\d+)/.exec(line)?.[1] ?? 0),
      0,
    );
  }

  /** Resolves with the exit code at the end, null when it was killed. */
  async exit(): Promise<number | null> {
    await this.#exited;
    return this.#child.exitCode;
  }

  /** Ends it without a warning. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#exited;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
