import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../core/time.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { EventLog, LogEntry } from "./log.ts";

/** How the suite gets at one engine: every harness is an empty store of its own. */
export type EventLogHarness = {
  /** Opens the store; again after the log before was disposed gives the same store. */
  open(settings: EventLogSettings): Promise<EventLog>;
  /**
   * A process that opens the store and appends entries with the bodies `0`, `1`, `2` … to partition `n % partitions`
   * without waiting for each, printing a line with the body as each is acknowledged.
   */
  appender(): ChildProcess;
  [Symbol.asyncDispose](): Promise<void>;
};

export type EventLogSettings = {
  clock: Clock;
  partitions: number;
  maxPendingLogBytes: number;
  /** Undefined: as much as the disk has. */
  maxBytes: number | undefined;
};

const DEFAULTS: EventLogSettings = {
  clock: systemClock,
  partitions: 4,
  maxPendingLogBytes: 1 << 20,
  maxBytes: undefined,
};
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (entry: LogEntry) => new TextDecoder().decode(entry.body);
const kib = (count: number) => new Uint8Array(count * 1_024);

/** Reads from the cursors until there are `count` entries, which must not be more in the end. */
async function readSome(
  log: EventLog,
  count: number,
  after = new Map<number, number>(),
): Promise<LogEntry[]> {
  const stop = new AbortController();
  const entries: LogEntry[] = [];
  if (count === 0) return entries;
  for await (const batch of log.read(after, stop.signal)) {
    expect(batch.length).toBeLessThanOrEqual(1_000);
    entries.push(...batch);
    if (entries.length >= count) break;
  }
  expect(entries.length).toBe(count);
  return entries;
}

function bySequence(entries: readonly LogEntry[], partition: number): LogEntry[] {
  return entries.filter((entry) => entry.partition === partition);
}

async function lastOf(log: EventLog): Promise<Map<number, number>> {
  const cursors = new Map<number, number>();
  for (let partition = 0; partition < log.partitions; partition++)
    cursors.set(partition, (await log.bounds(partition)).last);
  return cursors;
}

/** The promises of the port EventLog as tests; an engine's own test file calls it with a way to open the engine. */
export function eventLogContract(name: string, start: () => Promise<EventLogHarness>): void {
  describe(`${name} keeps the promises of EventLog`, () => {
    writing(start);
    reading(start);
    bounding(start);
    crashing(start);
  });
}

function writing(start: () => Promise<EventLogHarness>): void {
  test("entries of a partition are numbered 1, 2, 3 in the order of the append calls", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    const sequences = await Promise.all(
      Array.from({ length: 400 }, (_, i) => log.append(i % 4, bytes(`${i}`))),
    );
    expect(sequences).toEqual(Array.from({ length: 400 }, (_, i) => Math.floor(i / 4) + 1));
    const entries = await readSome(log, 400);
    for (let partition = 0; partition < 4; partition++)
      expect(bySequence(entries, partition).map(text)).toEqual(
        Array.from({ length: 100 }, (_, i) => `${i * 4 + partition}`),
      );
    expect(await log.health()).toBeUndefined();
  });

  test("the caller may reuse its bytes once append has resolved", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    const body = bytes("first");
    await log.append(0, body);
    body.fill(0);
    expect((await readSome(log, 1)).map(text)).toEqual(["first"]);
  });

  test("everything resolved is there after closing and opening again, empty and large bodies too", async () => {
    await using harness = await start();
    {
      await using log = await harness.open(DEFAULTS);
      await Promise.all([
        log.append(1, new Uint8Array(0)),
        log.append(1, kib(100).fill(7)),
        log.append(3, bytes("x")),
      ]);
    }
    await using log = await harness.open(DEFAULTS);
    const entries = await readSome(log, 3);
    expect(bySequence(entries, 1).map(({ sequence, body }) => [sequence, body.length, body.at(-1)])).toEqual([
      [1, 0, undefined],
      [2, 102_400, 7],
    ]);
    expect(await log.append(1, bytes("next"))).toBe(3);
    expect(await log.bounds(1)).toEqual({ first: 1, last: 3 });
  });

  test("appends under way when the log is closed are settled, later ones are refused", async () => {
    await using harness = await start();
    const log = await harness.open(DEFAULTS);
    const underWay = Array.from({ length: 50 }, (_, i) => log.append(0, bytes(`${i}`)));
    await log[Symbol.asyncDispose]();
    await expect(Promise.all(underWay)).resolves.toHaveLength(50);
    await expect(log.append(0, bytes("late"))).rejects.toMatchObject({ code: "LOG_UNAVAILABLE" });
    await using again = await harness.open(DEFAULTS);
    expect(await again.bounds(0)).toEqual({ first: 1, last: 50 });
  });

  test("another number of partitions than at its creation is refused", async () => {
    await using harness = await start();
    await (await harness.open(DEFAULTS))[Symbol.asyncDispose]();
    await expect(harness.open({ ...DEFAULTS, partitions: 5 })).rejects.toMatchObject({
      code: "LOG_UNAVAILABLE",
    });
  });
}

function reading(start: () => Promise<EventLogHarness>): void {
  test("a reader gets what is there after its cursors and then what comes, each once", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    for (let i = 0; i < 10; i++) await log.append(i % 2, bytes(`old ${i}`));
    const reading = readSome(
      log,
      9,
      new Map([
        [0, 2],
        [1, 4],
      ]),
    );
    for (let i = 0; i < 5; i++) await log.append(2, bytes(`new ${i}`));
    const entries = await reading;
    expect(bySequence(entries, 0).map(text)).toEqual(["old 4", "old 6", "old 8"]);
    expect(bySequence(entries, 1).map(text)).toEqual(["old 9"]);
    expect(bySequence(entries, 2).map(text)).toEqual([0, 1, 2, 3, 4].map((i) => `new ${i}`));
  });

  test("several readers of different pace each get everything in order, also beyond what memory holds", async () => {
    await using harness = await start();
    await using log = await harness.open({ ...DEFAULTS, maxPendingLogBytes: 64 << 20 });
    const stop = new AbortController();
    const read = async (everyBatch: () => Promise<unknown>) => {
      const seen = [0, 0, 0, 0];
      for await (const batch of log.read(new Map(), stop.signal)) {
        for (const { partition, sequence } of batch) {
          expect(sequence).toBe(seen[partition]! + 1);
          seen[partition] = sequence;
        }
        if (seen.every((count) => count === 1_000)) return;
        await everyBatch();
      }
    };
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const gate = Promise.withResolvers<void>();
    const readers = [read(turn), read(async () => {}), read(() => gate.promise)];
    // 4,000 entries of 8 KiB are more than an engine keeps at hand.
    for (let i = 0; i < 40; i++)
      await Promise.all(Array.from({ length: 100 }, (_, j) => log.append(j % 4, kib(8))));
    gate.resolve();
    await Promise.all(readers);
  });

  test("a reader ends when its signal aborts, waiting or not, and when the log is closed", async () => {
    await using harness = await start();
    const log = await harness.open(DEFAULTS);
    await log.append(0, bytes("x"));
    const stop = new AbortController();
    const drain = async (signal: AbortSignal, then: () => void) => {
      for await (const _ of log.read(new Map(), signal)) then();
    };
    await drain(AbortSignal.abort(), () => expect.unreachable());
    await drain(stop.signal, () => setImmediate(() => stop.abort()));
    const closing = drain(new AbortController().signal, () => void log[Symbol.asyncDispose]());
    await closing;
    await log[Symbol.asyncDispose]();
  });

  test("a cursor beyond the log's end is refused: it belongs to another log", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    await expect(readSome(log, 1, new Map([[2, 1]]))).rejects.toMatchObject({ code: "CURSOR_TOO_OLD" });
  });
}

function bounding(start: () => Promise<EventLogHarness>): void {
  test("trim removes what is older, for ever, and numbers are not given out again", async () => {
    await using harness = await start();
    const clock = new VirtualClock(1_000);
    {
      await using log = await harness.open({ ...DEFAULTS, clock });
      for (let i = 0; i < 6; i++) {
        await log.append(0, bytes(`${i}`));
        clock.advanceTo(clock.now() + 1_000);
      }
      await log.append(1, bytes("young"));
      await log.trim(4_000);
      expect(await log.bounds(0)).toEqual({ first: 4, last: 6 });
      expect((await readSome(log, 4, new Map([[0, 3]]))).map(text).sort()).toEqual(["3", "4", "5", "young"]);
      await log.trim(clock.now() + 1);
    }
    await using log = await harness.open({ ...DEFAULTS, clock });
    expect(await log.bounds(0)).toEqual({ first: 7, last: 6 });
    expect(await log.bounds(2)).toEqual({ first: 1, last: 0 });
    expect(await log.append(0, bytes("6"))).toBe(7);
  });

  test("a cursor older than the first entry kept throws before anything is yielded", async () => {
    await using harness = await start();
    const clock = new VirtualClock(1_000);
    await using log = await harness.open({ ...DEFAULTS, clock });
    await log.append(0, bytes("old"));
    clock.advanceTo(2_000);
    await log.append(0, bytes("new"));
    await log.append(1, bytes("new"));
    await log.trim(2_000);
    const seen: LogEntry[] = [];
    const reading = (async () => {
      for await (const batch of log.read(new Map(), new AbortController().signal)) seen.push(...batch);
    })();
    await expect(reading).rejects.toMatchObject({ code: "CURSOR_TOO_OLD" });
    expect(seen).toEqual([]);
    expect(await readSome(log, 2, new Map([[0, 1]]))).toHaveLength(2);
  });

  test("a reader that lags behind a trim throws instead of skipping", async () => {
    await using harness = await start();
    const clock = new VirtualClock(1_000);
    await using log = await harness.open({ ...DEFAULTS, clock });
    for (let i = 0; i < 1_500; i += 100)
      await Promise.all(Array.from({ length: 100 }, () => log.append(0, bytes("x"))));
    const seen: number[] = [];
    const reading = (async () => {
      for await (const batch of log.read(new Map(), new AbortController().signal)) {
        seen.push(...batch.map(({ sequence }) => sequence));
        clock.advanceTo(2_000);
        await log.trim(2_000);
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "CURSOR_TOO_OLD" });
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => i + 1));
    expect(seen.length).toBeLessThan(1_500);
  });

  test("times of entries never go back, whatever the clock does", async () => {
    await using harness = await start();
    let nowMs = 5_000;
    const clock: Clock = { ...systemClock, now: () => nowMs };
    await using log = await harness.open({ ...DEFAULTS, clock });
    await log.append(0, bytes("a"));
    nowMs = 1_000;
    await log.append(0, bytes("b"));
    expect((await readSome(log, 2)).map(({ loggedAtMs }) => loggedAtMs)).toEqual([5_000, 5_000]);
  });

  test("more than maxPendingLogBytes waiting is refused with LOG_UNAVAILABLE, and works again afterwards", async () => {
    await using harness = await start();
    await using log = await harness.open({ ...DEFAULTS, maxPendingLogBytes: 10 << 10 });
    const results = await Promise.allSettled(Array.from({ length: 15 }, () => log.append(0, kib(1))));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    for (const result of results.slice(10))
      expect(result).toMatchObject({ status: "rejected", reason: { code: "LOG_UNAVAILABLE" } });
    expect(await log.append(0, kib(1))).toBe(11);
  });

  test("a full disk is LOG_FULL and unhealthy, reading goes on, and with room again appends do", async () => {
    await using harness = await start();
    const clock = new VirtualClock(1_000);
    await using log = await harness.open({ ...DEFAULTS, clock, maxBytes: 512 << 10 });
    let stored = 0;
    for (let full = false; !full && stored < 1_000; ) {
      try {
        await log.append(0, kib(8));
        stored++;
      } catch (error) {
        expect(error).toMatchObject({ code: "LOG_FULL" });
        full = true;
      }
    }
    expect(stored).toBeGreaterThan(10);
    expect(stored).toBeLessThan(100);
    expect(await log.health()).toMatchObject({ code: "LOG_FULL" });
    expect(await readSome(log, stored)).toHaveLength(stored);
    expect(await log.bounds(0)).toEqual({ first: 1, last: stored });
    clock.advanceTo(2_000);
    await log.trim(2_000);
    expect(await log.append(0, kib(8))).toBe(stored + 1);
    expect(await log.health()).toBeUndefined();
    expect(await lastOf(log)).toEqual(
      new Map([
        [0, stored + 1],
        [1, 0],
        [2, 0],
        [3, 0],
      ]),
    );
  });
}

function crashing(start: () => Promise<EventLogHarness>): void {
  test("a process killed in the middle of appending loses no entry that it acknowledged", {
    timeout: 60_000,
  }, async () => {
    await using harness = await start();
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round++) {
      const child = harness.appender();
      const exit = once(child, "exit");
      let count = 0;
      for await (const line of createInterface({ input: child.stdout! })) {
        acknowledged.push(line);
        if (++count === 500 + 300 * round) child.kill("SIGKILL");
      }
      await exit;
      expect(child.signalCode).toBe("SIGKILL");
    }
    await using log = await harness.open(DEFAULTS);
    const total = [...(await lastOf(log)).values()].reduce((sum, last) => sum + last, 0);
    const found = new Map<string, number>();
    for (const body of (await readSome(log, total)).map(text)) found.set(body, (found.get(body) ?? 0) + 1);
    for (const body of acknowledged) found.set(body, (found.get(body) ?? 0) - 1);
    expect([...found.values()].filter((left) => left < 0)).toEqual([]);
  });
}
