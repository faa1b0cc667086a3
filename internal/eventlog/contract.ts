import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
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
  partitions: number;
  maxPendingLogBytes: number;
  /** Undefined: as much as the disk has. */
  maxBytes: number | undefined;
};

const DEFAULTS: EventLogSettings = {
  partitions: 4,
  maxPendingLogBytes: 1 << 20,
  maxBytes: undefined,
};
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (entry: LogEntry) => new TextDecoder().decode(entry.body);
const kib = (count: number) => new Uint8Array(count * 1_024);

/** Cursors from which all that is kept can be read. */
async function beginning(log: EventLog): Promise<Map<number, number>> {
  const cursors = new Map<number, number>();
  for (let partition = 0; partition < log.partitions; partition++)
    cursors.set(partition, (await log.bounds(partition)).first - 1);
  return cursors;
}

/** Reads from the cursors, else from the beginning, until there are `count` entries, which must not be more then. */
async function readSome(
  log: EventLog,
  count: number,
  after?: ReadonlyMap<number, number>,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  if (count === 0) return entries;
  for await (const batch of log.read(after ?? (await beginning(log)), new AbortController().signal)) {
    expect(batch.length).toBeLessThanOrEqual(1_000);
    entries.push(...batch);
    if (entries.length >= count) break;
  }
  expect(entries.length).toBe(count);
  return entries;
}

/** Reads everything that is in the log now. */
async function readAll(log: EventLog): Promise<LogEntry[]> {
  const cursors = await beginning(log);
  const missing = new Map<number, number>();
  for (const [partition, cursor] of cursors) {
    const { last } = await log.bounds(partition);
    if (last > cursor) missing.set(partition, last);
  }
  const entries: LogEntry[] = [];
  if (missing.size === 0) return entries;
  for await (const batch of log.read(cursors, new AbortController().signal)) {
    entries.push(...batch);
    for (const { partition, sequence } of batch)
      if (sequence >= (missing.get(partition) ?? 0)) missing.delete(partition);
    if (missing.size === 0) break;
  }
  return entries;
}

const fromZero = (log: EventLog) => new Map(Array.from({ length: log.partitions }, (_, i) => [i, 0]));

function ofPartition(entries: readonly LogEntry[], partition: number): LogEntry[] {
  return entries.filter((entry) => entry.partition === partition);
}

const sequencesOf = (entries: readonly LogEntry[]) => entries.map(({ sequence }) => sequence);
const ascending = (numbers: readonly number[]) => numbers.every((n, i) => i === 0 || n > numbers[i - 1]!);

/** Resolves when what is logged from now on has a later time than what was, to the millisecond. */
async function untilTimePassed(): Promise<void> {
  const startMs = Date.now();
  while (Date.now() <= startMs + 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The promises of the port EventLog as tests; an engine's own test file calls it with a way to open the engine. */
export function eventLogContract(name: string, start: () => Promise<EventLogHarness>): void {
  describe(`${name} keeps the promises of EventLog`, () => {
    writing(start);
    reading(start);
    finding(start);
    bounding(start);
    crashing(start);
  });
}

function writing(start: () => Promise<EventLogHarness>): void {
  test("sequences of a partition rise in the order of the append calls", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    const sequences = await Promise.all(
      Array.from({ length: 400 }, (_, i) => log.append(i % 4, bytes(`${i}`))),
    );
    const entries = await readSome(log, 400);
    for (let partition = 0; partition < 4; partition++) {
      const appended = sequences.filter((_, i) => i % 4 === partition);
      expect(appended[0]).toBeGreaterThanOrEqual(1);
      expect(ascending(appended)).toBe(true);
      const read = ofPartition(entries, partition);
      expect(sequencesOf(read)).toEqual(appended);
      expect(read.map(text)).toEqual(Array.from({ length: 100 }, (_, i) => `${i * 4 + partition}`));
    }
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
    let sequences: number[];
    {
      await using log = await harness.open(DEFAULTS);
      sequences = await Promise.all([
        log.append(1, new Uint8Array(0)),
        log.append(1, kib(100).fill(7)),
        log.append(3, bytes("x")),
      ]);
    }
    await using log = await harness.open(DEFAULTS);
    const entries = ofPartition(await readSome(log, 3), 1);
    expect(entries.map(({ sequence, body }) => [sequence, body.length, body.at(-1)])).toEqual([
      [sequences[0], 0, undefined],
      [sequences[1], 102_400, 7],
    ]);
    const next = await log.append(1, bytes("next"));
    expect(next).toBeGreaterThan(sequences[1]!);
    const { first, last } = await log.bounds(1);
    expect(first).toBeLessThanOrEqual(sequences[0]!);
    expect(last).toBe(next);
  });

  test("appends under way when the log is closed are settled, later ones are refused", async () => {
    await using harness = await start();
    const log = await harness.open(DEFAULTS);
    const underWay = Array.from({ length: 50 }, (_, i) => log.append(0, bytes(`${i}`)));
    await log[Symbol.asyncDispose]();
    const sequences = await Promise.all(underWay);
    await expect(log.append(0, bytes("late"))).rejects.toMatchObject({ code: "LOG_UNAVAILABLE" });
    await using again = await harness.open(DEFAULTS);
    expect(sequencesOf(await readAll(again))).toEqual(sequences);
  });

  test("another number of partitions than at its creation is refused", async () => {
    await using harness = await start();
    await (await harness.open(DEFAULTS))[Symbol.asyncDispose]();
    await expect(harness.open({ ...DEFAULTS, partitions: 5 })).rejects.toThrow(/4 partitions/);
  });

  test("there is no partition beyond the number of partitions", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    for (const partition of [-1, 4, 0.5])
      await expect(log.append(partition, kib(1))).rejects.toThrow(RangeError);
  });
}

function reading(start: () => Promise<EventLogHarness>): void {
  test("a reader gets what is there after its cursors and then what comes, each once", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    const old: number[] = [];
    for (let i = 0; i < 10; i++) old.push(await log.append(i % 2, bytes(`old ${i}`)));
    const reading = readSome(log, 9, fromZero(log).set(0, old[2]!).set(1, old[7]!));
    for (let i = 0; i < 5; i++) await log.append(2, bytes(`new ${i}`));
    const entries = await reading;
    expect(ofPartition(entries, 0).map(text)).toEqual(["old 4", "old 6", "old 8"]);
    expect(ofPartition(entries, 1).map(text)).toEqual(["old 9"]);
    expect(ofPartition(entries, 2).map(text)).toEqual([0, 1, 2, 3, 4].map((i) => `new ${i}`));
  });

  test("partitions that a reader did not ask for are not read", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    for (let i = 0; i < 20; i++) await log.append(i % 4, bytes(`old ${i}`));
    const reading = readSome(
      log,
      15,
      new Map([
        [1, 0],
        [3, 0],
      ]),
    );
    for (let i = 20; i < 30; i++) await log.append(i % 4, bytes(`new ${i}`));
    const entries = await reading;
    expect(new Set(entries.map(({ partition }) => partition))).toEqual(new Set([1, 3]));
    expect(ofPartition(entries, 3).map(text)).toEqual([
      ...[3, 7, 11, 15, 19].map((i) => `old ${i}`),
      ...[23, 27].map((i) => `new ${i}`),
    ]);
  });

  test("several readers of different pace each get everything in order, also beyond what memory holds", async () => {
    await using harness = await start();
    await using log = await harness.open({ ...DEFAULTS, maxPendingLogBytes: 64 << 20 });
    const read = async (everyBatch: () => Promise<unknown>) => {
      const seen: LogEntry[] = [];
      for await (const batch of log.read(fromZero(log), new AbortController().signal)) {
        for (const entry of batch) seen.push({ ...entry, body: entry.body.subarray(0, 0) });
        if (seen.length >= 4_000) break;
        await everyBatch();
      }
      return seen;
    };
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const gate = Promise.withResolvers<void>();
    const readers = [read(turn), read(async () => {}), read(() => gate.promise)];
    const appended: number[][] = [[], [], [], []];
    // 4,000 entries of 8 KiB are more than an engine keeps at hand.
    for (let i = 0; i < 40; i++) {
      const sequences = await Promise.all(Array.from({ length: 100 }, (_, j) => log.append(j % 4, kib(8))));
      for (const [j, sequence] of sequences.entries()) appended[j % 4]!.push(sequence);
    }
    gate.resolve();
    for (const seen of await Promise.all(readers))
      for (const [partition, sequences] of appended.entries())
        expect(sequencesOf(ofPartition(seen, partition))).toEqual(sequences);
  });

  test("a reader ends when its signal aborts, waiting or not, and when the log is closed", async () => {
    await using harness = await start();
    const log = await harness.open(DEFAULTS);
    await log.append(0, bytes("x"));
    const stop = new AbortController();
    const drain = async (signal: AbortSignal, then: () => void) => {
      for await (const _ of log.read(fromZero(log), signal)) then();
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
    const { last } = await log.bounds(2);
    await expect(readSome(log, 1, new Map([[2, last + 1]]))).rejects.toMatchObject({
      code: "CURSOR_TOO_OLD",
    });
  });

  test("times of entries never go back and are of now", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    for (let i = 0; i < 20; i++) await log.append(i % 4, bytes("x"));
    const times = (await readSome(log, 20))
      .toSorted((a, b) => a.loggedAtMs - b.loggedAtMs || a.sequence - b.sequence)
      .map(({ loggedAtMs }) => loggedAtMs);
    for (let partition = 0; partition < 4; partition++) {
      const own = ofPartition(await readAll(log), partition).map(({ loggedAtMs }) => loggedAtMs);
      expect(own.toSorted((a, b) => a - b)).toEqual(own);
    }
    expect(Math.abs(Date.now() - times.at(-1)!)).toBeLessThan(60_000);
  });
}

function finding(start: () => Promise<EventLogHarness>): void {
  test("who has read up to its end has nothing to read, and no cursor lies beyond", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    const own = await log.append(0, bytes("own"));
    const others = await log.append(1, bytes("others"));
    const { last, end } = await log.bounds(0);
    expect(last).toBe(own);
    expect(end).toBe(log.numbersTogether ? others : own);
    const next = await log.append(0, bytes("next"));
    expect(next).toBeGreaterThan(end);
    for await (const [entry] of log.read(new Map([[0, end]]), new AbortController().signal)) {
      expect(text(entry!)).toBe("next");
      break;
    }
  });

  test("finds where the entries of a time begin, also before the first and after the last", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    for (let i = 0; i < 12; i++) {
      await log.append(i % 3, bytes(`${i}`));
      await untilTimePassed();
    }
    const entries = await readSome(log, 12);
    const times = [0, ...entries.map(({ loggedAtMs }) => loggedAtMs), Date.now() + 3_600_000];
    for (const timeMs of times)
      for (const partition of [0, 1, 2]) {
        const from = await log.sequenceAt(partition, timeMs);
        const own = ofPartition(entries, partition);
        expect(own.filter(({ sequence }) => sequence >= from)).toEqual(
          own.filter(({ loggedAtMs }) => loggedAtMs >= timeMs),
        );
      }
    const { last } = await log.bounds(3);
    expect(await log.sequenceAt(3, 0)).toBeGreaterThan(last);
  });

  test("tells how much was lost after a cursor, once it is", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    const appended: number[] = [];
    for (let i = 0; i < 5; i++) {
      appended.push(await log.append(0, bytes(`${i}`)));
      await untilTimePassed();
    }
    expect(await log.lostAfter(0, 0)).toBe(0);
    const [, second, , fourth] = await readSome(log, 5);
    await log.trim(fourth!.loggedAtMs);
    expect(await log.lostAfter(0, second!.sequence)).toBe(1);
    expect(await log.lostAfter(0, 0)).toBe(3);
    for (const cursor of appended.slice(2)) expect(await log.lostAfter(0, cursor)).toBe(0);
    expect(await log.sequenceAt(0, 0)).toBe(appended[3]);
  });
}

function bounding(start: () => Promise<EventLogHarness>): void {
  test("trim removes what is older, for ever, and numbers are not given out again", async () => {
    await using harness = await start();
    const sequences: number[] = [];
    {
      await using log = await harness.open(DEFAULTS);
      for (let i = 0; i < 6; i++) {
        sequences.push(await log.append(0, bytes(`${i}`)));
        await untilTimePassed();
      }
      await log.append(1, bytes("young"));
      const entries = await readSome(log, 7);
      const fourth = entries.find(({ sequence, partition }) => partition === 0 && sequence === sequences[3])!;
      await log.trim(fourth.loggedAtMs);
      const { first, last } = await log.bounds(0);
      expect(first).toBeGreaterThan(sequences[2]!);
      expect(first).toBeLessThanOrEqual(sequences[3]!);
      expect(last).toBe(sequences[5]);
      expect((await readSome(log, 4)).map(text).sort()).toEqual(["3", "4", "5", "young"]);
      await log.trim(Math.max(...entries.map(({ loggedAtMs }) => loggedAtMs)) + 1);
    }
    await using log = await harness.open(DEFAULTS);
    for (const partition of [0, 1, 2]) {
      const { first, last } = await log.bounds(partition);
      expect(last).toBe(first - 1);
    }
    expect((await log.bounds(0)).last).toBeGreaterThanOrEqual(sequences[5]!);
    expect(await log.append(0, bytes("6"))).toBeGreaterThan(sequences[5]!);
    expect((await readSome(log, 1)).map(text)).toEqual(["6"]);
  });

  test("a cursor older than the first entry kept throws before anything is yielded", async () => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    await log.append(0, bytes("old"));
    await untilTimePassed();
    const kept = await log.append(0, bytes("new"));
    await log.append(1, bytes("new"));
    const entries = await readSome(log, 3);
    await log.trim(
      entries.find(({ partition, sequence }) => partition === 0 && sequence === kept)!.loggedAtMs,
    );
    const seen: LogEntry[] = [];
    const reading = (async () => {
      for await (const batch of log.read(fromZero(log), new AbortController().signal)) seen.push(...batch);
    })();
    await expect(reading).rejects.toMatchObject({ code: "CURSOR_TOO_OLD" });
    expect(seen).toEqual([]);
    expect(await readSome(log, 2)).toHaveLength(2);
  });

  test.each([
    ["all partitions", [0, 1, 2, 3]],
    ["some partitions", [0, 2]],
  ])("a reader of %s that lags behind a trim throws instead of skipping", async (_, partitions) => {
    await using harness = await start();
    await using log = await harness.open(DEFAULTS);
    const appended: number[] = [];
    for (let i = 0; i < 1_500; i += 100) {
      const others = Array.from({ length: 10 }, () => log.append(1, bytes("other")));
      appended.push(...(await Promise.all(Array.from({ length: 100 }, () => log.append(0, bytes("x"))))));
      await Promise.all(others);
    }
    const seen: LogEntry[] = [];
    const cursors = new Map(partitions.map((partition) => [partition, 0]));
    const reading = (async () => {
      for await (const batch of log.read(cursors, new AbortController().signal)) {
        seen.push(...batch);
        await untilTimePassed();
        await log.trim(Date.now());
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "CURSOR_TOO_OLD" });
    const own = sequencesOf(ofPartition(seen, 0));
    expect(own).toEqual(appended.slice(0, own.length));
    expect(own.length).toBeLessThan(1_500);
  });

  test("more than maxPendingLogBytes waiting is refused with LOG_UNAVAILABLE, and works again afterwards", async () => {
    await using harness = await start();
    await using log = await harness.open({ ...DEFAULTS, maxPendingLogBytes: 10 << 10 });
    const results = await Promise.allSettled(Array.from({ length: 15 }, () => log.append(0, kib(1))));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    for (const result of results.slice(10))
      expect(result).toMatchObject({ status: "rejected", reason: { code: "LOG_UNAVAILABLE" } });
    await log.append(0, kib(1));
    expect(await readAll(log)).toHaveLength(11);
  });

  test("a full disk is LOG_FULL and unhealthy, reading goes on, and with room again appends do", async () => {
    await using harness = await start();
    await using log = await harness.open({ ...DEFAULTS, maxBytes: 512 << 10 });
    const stored: number[] = [];
    for (let full = false; !full && stored.length < 1_000; ) {
      try {
        stored.push(await log.append(0, kib(8)));
      } catch (error) {
        expect(error).toMatchObject({ code: "LOG_FULL" });
        full = true;
      }
    }
    expect(stored.length).toBeGreaterThan(10);
    expect(stored.length).toBeLessThan(100);
    expect(await log.health()).toMatchObject({ code: "LOG_FULL" });
    const entries = await readSome(log, stored.length);
    expect(sequencesOf(entries)).toEqual(stored);
    expect((await log.bounds(0)).last).toBe(stored.at(-1));
    await log.trim(entries.at(-1)!.loggedAtMs + 1);
    const next = await log.append(0, kib(8));
    expect(next).toBeGreaterThan(stored.at(-1)!);
    expect(await log.health()).toBeUndefined();
    expect((await log.bounds(0)).last).toBe(next);
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
    const found = new Map<string, number>();
    for (const body of (await readAll(log)).map(text)) found.set(body, (found.get(body) ?? 0) + 1);
    for (const body of acknowledged) found.set(body, (found.get(body) ?? 0) - 1);
    expect([...found.values()].filter((left) => left < 0)).toEqual([]);
  });
}
