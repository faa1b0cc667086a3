import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { type Clock, systemClock } from "../../core/time.ts";
import { eventLogContract } from "../contract.ts";
import { openSqliteLog, type SqliteLogOptions } from "./log.ts";

const APPENDER = fileURLToPath(new URL("./append-until-killed.ts", import.meta.url));

eventLogContract("the SQLite log", async () => {
  const folder = await tempFolder();
  const path = folder.file("log.db");
  return {
    open: ({ partitions, maxPendingLogBytes, maxBytes }) =>
      openSqliteLog({
        path,
        region: "eu1",
        partitions,
        clock: systemClock,
        limits: { maxPendingLogBytes },
        maxBytes,
      }),
    appender: () => spawn(process.execPath, [APPENDER, path, "4"], { stdio: ["ignore", "pipe", "inherit"] }),
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
});

const options = (path: string): SqliteLogOptions => ({
  path,
  region: "eu1",
  partitions: 2,
  clock: systemClock,
  limits: { maxPendingLogBytes: 1 << 20 },
});

describe("the SQLite log", () => {
  test("numbers the entries of each partition 1, 2, 3, and says exactly what is kept", async () => {
    await using folder = await tempFolder();
    let nowMs = 1_000;
    const clock: Clock = { ...systemClock, now: () => nowMs };
    await using log = await openSqliteLog({ ...options(folder.file("log.db")), clock });
    for (nowMs = 1_000; nowMs < 6_000; nowMs += 1_000) await log.append(1, new Uint8Array(1));
    expect(await log.bounds(1)).toEqual({ first: 1, last: 5, end: 5 });
    await log.trim(3_000);
    expect(await log.bounds(1)).toEqual({ first: 3, last: 5, end: 5 });
    expect(await log.bounds(0)).toEqual({ first: 1, last: 0, end: 0 });
    expect(await log.append(1, new Uint8Array(1))).toBe(6);
  });

  test("times of entries never go back when the clock does", async () => {
    await using folder = await tempFolder();
    let nowMs = 5_000;
    const clock: Clock = { ...systemClock, now: () => nowMs };
    await using log = await openSqliteLog({ ...options(folder.file("log.db")), clock });
    await log.append(0, new Uint8Array(1));
    nowMs = 1_000;
    await log.append(0, new Uint8Array(1));
    const times: number[] = [];
    for await (const batch of log.read(new Map([[0, 0]]), new AbortController().signal)) {
      times.push(...batch.map(({ loggedAtMs }) => loggedAtMs));
      if (times.length === 2) break;
    }
    expect(times).toEqual([5_000, 5_000]);
  });

  test("a damaged file is named as such", async () => {
    await using folder = await tempFolder();
    await writeFile(
      folder.file("log.db"),
      "this is no database, and it is longer than a header of 100 bytes ".repeat(9),
    );
    await expect(openSqliteLog(options(folder.file("log.db")))).rejects.toMatchObject({
      code: "LOG_UNAVAILABLE",
      message: expect.stringContaining("damaged"),
    });
  });

  test("a database of a newer build is left alone", async () => {
    await using folder = await tempFolder();
    const db = new DatabaseSync(folder.file("log.db"));
    db.exec("PRAGMA user_version = 99");
    db.close();
    await expect(openSqliteLog(options(folder.file("log.db")))).rejects.toMatchObject({
      code: "LOG_UNAVAILABLE",
      message: expect.stringContaining("update"),
    });
  });

  test("a missing folder rejects instead of hanging", async () => {
    await using folder = await tempFolder();
    await expect(openSqliteLog(options(folder.file("no/log.db")))).rejects.toMatchObject({
      code: "LOG_UNAVAILABLE",
    });
  });

  test("another process that holds the write lock makes appends fail clearly, and they work again without it", async () => {
    await using folder = await tempFolder();
    await using log = await openSqliteLog(options(folder.file("log.db")));
    const other = new DatabaseSync(folder.file("log.db"));
    other.exec("BEGIN IMMEDIATE");
    await expect(log.append(0, new Uint8Array(1))).rejects.toMatchObject({
      code: "LOG_UNAVAILABLE",
      message: expect.stringContaining("locked"),
    });
    expect(await log.health()).toMatchObject({ code: "LOG_UNAVAILABLE" });
    other.exec("ROLLBACK");
    other.close();
    expect(await log.append(0, new Uint8Array(1))).toBe(1);
    expect(await log.health()).toBeUndefined();
  });

  test("what is reserved of the disk is left alone: appends are refused, reading and trimming go on", async () => {
    await using folder = await tempFolder();
    {
      await using log = await openSqliteLog(options(folder.file("log.db")));
      await log.append(0, new Uint8Array(1));
    }
    await using log = await openSqliteLog({ ...options(folder.file("log.db")), reserveBytes: 2 ** 60 });
    await expect(log.append(0, new Uint8Array(1))).rejects.toMatchObject({ code: "LOG_FULL" });
    expect(await log.health()).toMatchObject({ code: "LOG_FULL" });
    await log.trim(Number.MAX_SAFE_INTEGER);
    expect(await log.bounds(0)).toEqual({ first: 2, last: 1, end: 1 });
  });

  test("when its thread dies, appends under way reject, readers throw and health says so", async () => {
    await using folder = await tempFolder();
    const dying = `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from "node:worker_threads";
      parentPort.postMessage({ ready: true, value: { through: [0, 0], last: [0, 0] } });
      parentPort.on("message", () => { throw new Error("planted"); });
    `)}`;
    await using log = await openSqliteLog(options(folder.file("log.db")), new URL(dying));
    const reading = (async () => {
      for await (const _ of log.read(new Map([[0, 0]]), new AbortController().signal)) expect.unreachable();
    })();
    const unavailable = { code: "LOG_UNAVAILABLE", message: expect.stringContaining("planted") };
    const appending = Promise.allSettled([
      log.append(0, new Uint8Array(1)),
      log.append(1, new Uint8Array(1)),
    ]);
    await expect(reading).rejects.toMatchObject(unavailable);
    for (const result of await appending)
      expect(result).toMatchObject({ status: "rejected", reason: unavailable });
    expect(await log.health()).toMatchObject(unavailable);
    await expect(log.append(0, new Uint8Array(1))).rejects.toMatchObject(unavailable);
  });

  test("an open log does not keep its process alive, an append under way does", async () => {
    await using folder = await tempFolder();
    const script = `
      import { systemClock } from ${JSON.stringify(new URL("../../core/time.ts", import.meta.url).href)};
      import { openSqliteLog } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
      const limits = { maxPendingLogBytes: 1000 };
      const path = ${JSON.stringify(folder.file("log.db"))};
      const log = await openSqliteLog({ path, region: "eu1", partitions: 2, clock: systemClock, limits });
      void log.append(0, new Uint8Array(3)).then((sequence) => console.log("acknowledged", sequence));
    `;
    await writeFile(folder.file("main.ts"), script);
    const child = spawn(process.execPath, [folder.file("main.ts")], { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    for await (const chunk of child.stdout) printed += chunk;
    expect(printed).toBe("acknowledged 1\n");
    expect(child.exitCode ?? 0).toBe(0);
    expect((await readFile(folder.file("log.db"))).length).toBeGreaterThan(0);
  });
});
