import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { systemClock } from "../../core/time.ts";
import type { EventLog } from "../../eventlog/log.ts";
import { Outlet } from "../outlet.ts";
import { openSpool } from "./spool.ts";

const GATEWAY = new URL("./test-gateway.ts", import.meta.url).pathname;

/** Runs a gateway until it was told of so many spooled entries, and kills it. Returns them. */
async function runAndKill(folder: string, periodMs: number, count: number): Promise<string[]> {
  const child = spawn(process.execPath, [GATEWAY, folder, `${periodMs}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const told: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line !== "up") told.push(line);
    if (told.length === count) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
  return told;
}

test("what a killed gateway had spooled, and what a second one killed while it drained had, the third drains in order", async () => {
  const folder = await mkdtemp(join(tmpdir(), "bimride-spool-"));
  const first = await runAndKill(folder, 0, 2_000);
  const second = await runAndKill(folder, 5, 100);
  const drainedBefore = (await readFile(join(folder, "log.txt"), "utf8")).trimEnd().split("\n");
  expect(drainedBefore.length).toBeGreaterThan(0);
  const stored = [...drainedBefore];
  const log = {
    ...{ region: "test", partitions: 4 },
    async append(partition: number, body: Uint8Array) {
      return stored.push(`${partition} ${new TextDecoder().decode(body)}`);
    },
  };
  const damaged: number[] = [];
  const spool = await openSpool({
    ...{ folder, region: "test", maxBytes: 64 << 20, clock: systemClock },
    onEvent: (event) => {
      if (event.kind === "damaged") damaged.push(event.entries);
    },
  });
  const drained = Promise.withResolvers<void>();
  const outlet = new Outlet({
    log: log as unknown as EventLog,
    ...{ spool, ioClock: systemClock },
    onDrained: () => {
      if (!outlet.isAway) drained.resolve();
    },
  });
  await drained.promise;
  await outlet.close(0);
  await spool[Symbol.asyncDispose]();
  for (const partition of ["0", "1", "2", "3"]) {
    const mine = (lines: readonly string[]) => lines.filter((line) => line.startsWith(`${partition} `));
    const [inLog, told] = [mine(stored), mine([...first, ...second])];
    expect(told.length).toBeGreaterThan(500);
    // What was drained again after the kill stands there twice; the first of each is what counts.
    const firsts = told.map((line) => inLog.indexOf(line));
    expect(firsts).not.toContain(-1);
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
  }
  expect(damaged).toEqual([]);
  expect(await readdir(join(folder, "test"))).toEqual(["cursor"]);
  await rm(folder, { recursive: true });
});
