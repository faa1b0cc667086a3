import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const SHARED = process.env.BIMRIDE_TRACES ?? fileURLToPath(new URL("../../../shared/data", import.meta.url));

/** Folder of the recorded drives, or undefined where they are not at hand. */
export function tracesFolder(): string | undefined {
  return existsSync(`${SHARED}/score.py`) ? `${SHARED}/traces` : undefined;
}

export type Errors = { n: number; p50: number; p95: number; rms: number; max: number };
export type PositionScore = { n: number; raw: Errors; track: Errors; share_published: number };
export type RouteScore = { n: number; dist: Errors };

/** Error against the truth, as the scoring script of the recordings says. */
export async function scorePosition(truth: string, raw: string, track: string): Promise<PositionScore> {
  return (await score(["position", "--truth", truth, "--raw", raw, "--track", track])) as PositionScore;
}

/** Distance to the true path, as the scoring script of the recordings says. */
export async function scoreRoute(route: string, track: string): Promise<RouteScore> {
  return (await score(["route", "--route", route, "--track", track])) as RouteScore;
}

async function score(args: string[]): Promise<unknown> {
  const { stdout } = await run("python3", [`${SHARED}/score.py`, ...args], { maxBuffer: 64 << 20 });
  return JSON.parse(stdout);
}
