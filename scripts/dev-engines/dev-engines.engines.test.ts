import { readFile, writeFile } from "node:fs/promises";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { freePort } from "../../test/kit/engines/free-port.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { askToStop, HeldError, hold } from "./hold.ts";
import { runDevEngines } from "./run-dev-engines.ts";
import type { DevEngines } from "./start-dev-engines.ts";

test("engines start with what runs on them, end when another process asks, and keep their data", async () => {
  await using folder = await tempFolder();
  const lines: string[] = [];
  for (const expected of [null, "kept"]) {
    const up = Promise.withResolvers<DevEngines>();
    const order: string[] = [];
    const run = runDevEngines({
      folder: folder.path,
      print: (line) => lines.push(line),
      signal: new AbortController().signal,
      alongside: async (engines) => {
        up.resolve(engines);
        return { [Symbol.asyncDispose]: async () => void order.push("roles") };
      },
    }).then(() => order.push("engines"));
    const { settings, engines } = await Promise.race([up.promise, run.then(() => failed())]);
    const redis = new Redis(`redis://${settings["redis.nodes"]}`);
    expect(await redis.set("a", "kept", "GET")).toBe(expected);
    redis.disconnect();
    const again = runDevEngines({ folder: folder.path, print: () => undefined, signal: AbortSignal.abort() });
    await expect(again).rejects.toThrow(HeldError);

    expect(await askToStop(folder.path)).toBe(process.pid);
    await run;
    expect(order).toEqual(["roles", "engines"]);
    expect(engines.map(({ pid }) => pid)).toEqual([undefined, undefined, undefined]);
  }
  expect(lines).toContain("stopping");
});

test("a folder is held once, and asked for with its token only", async () => {
  await using folder = await tempFolder();
  await using held = await hold(folder.path);
  await expect(hold(folder.path)).rejects.toThrow(HeldError);
  const note = JSON.parse(await readFile(folder.file("running.json"), "utf8")) as { port: number };
  const stranger = await fetch(`http://127.0.0.1:${note.port}/`, { method: "POST" });
  expect(stranger.status).toBe(403);
  expect(held.released.aborted).toBe(false);
});

test("a note left by a process that died holds nothing, and no process is ended for it", async () => {
  await using folder = await tempFolder();
  const note = JSON.stringify({ pid: process.pid, port: await freePort(), token: "of the dead" });
  await writeFile(folder.file("running.json"), note);
  expect(await askToStop(folder.path)).toBeUndefined();
  await using held = await hold(folder.path);
  expect(held.released.aborted).toBe(false);
});

function failed(): never {
  throw new Error("it ended before it was up");
}
