import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { BimrideError, type ErrorCode } from "../core/errors.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { EventLog } from "../eventlog/log.ts";
import { type Fate, Outlet } from "./outlet.ts";
import type { SpoolEvent } from "./spool/events.ts";
import { openSpool, type Spool } from "./spool/spool.ts";
import { TestDisk } from "./spool/test-disk.ts";

/** The log's servers: what is stored outlives processes, and they can be away in all the ways that matter here. */
class Servers {
  readonly stored: { partition: number; text: string }[] = [];
  failure: ErrorCode | undefined;
  /** Of refused appends this part is stored all the same: only the answer was lost. 0…1 */
  lostAnswers = 0;
  /** An entry that is refused whatever happens. */
  poison: string | undefined;
  /** Longest list of appends of one partition that were under way together. */
  mostPerPartition = 0;
  #turn = 0;
  readonly #underWay = new Map<number, number>();

  /** A connection of one process; `cut` makes it dead as its process. */
  connect(): { log: EventLog; cut(): void } {
    let isCut = false;
    const append = async (partition: number, body: Uint8Array): Promise<number> => {
      if (isCut) return new Promise(() => {});
      const underWay = (this.#underWay.get(partition) ?? 0) + 1;
      this.#underWay.set(partition, underWay);
      this.mostPerPartition = Math.max(this.mostPerPartition, underWay);
      await new Promise(setImmediate);
      this.#underWay.set(partition, (this.#underWay.get(partition) ?? 1) - 1);
      const failure = new TextDecoder().decode(body) === this.poison ? "INTERNAL" : this.failure;
      const isLost = failure !== undefined && (this.#turn++ * 0.618) % 1 < this.lostAnswers;
      if (!failure || isLost) this.stored.push({ partition, text: new TextDecoder().decode(body) });
      if (isCut) return new Promise(() => {});
      if (failure) throw new BimrideError(failure);
      return this.stored.length;
    };
    const log = { region: "test", partitions: 4, append, health: async () => undefined };
    const cut = () => {
      isCut = true;
    };
    return { log: log as unknown as EventLog, cut };
  }

  of(partition: number): string[] {
    return this.stored.flatMap((one) => (one.partition === partition ? [one.text] : []));
  }
}

type Process = { outlet: Outlet; spool: Spool; events: SpoolEvent[]; cut(): void };

async function start(
  servers: Servers,
  disk: TestDisk,
  clock: VirtualClock,
  maxBytes = 1 << 20,
): Promise<Process> {
  const events: SpoolEvent[] = [];
  const onEvent = (event: SpoolEvent) => void events.push(event);
  const spool = await openSpool({ folder: "", region: "test", maxBytes, clock, onEvent, files: disk });
  const { log, cut } = servers.connect();
  const outlet = new Outlet({ log, spool, ioClock: clock, onDrained() {} });
  return { outlet, spool, events, cut };
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** Lets time pass until the condition holds. */
async function until(clock: VirtualClock, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 5_000 && !condition(); i++) {
    clock.advanceTo(clock.now() + 10);
    await new Promise(setImmediate);
  }
  expect(condition()).toBe(true);
}

test("without trouble nothing touches the spool", async () => {
  const [servers, disk, clock] = [new Servers(), new TestDisk(), new VirtualClock(1_000)];
  const { outlet, events } = await start(servers, disk, clock);
  expect(await outlet.append(0, bytes("a"))).toEqual({ in: "log", sequence: 1 });
  expect(disk.syncs).toBe(0);
  expect(events.map(({ kind }) => kind)).toEqual(["opened"]);
});

test("from the first refusal on all goes to the spool, until it is drained; then to the log again", async () => {
  const [servers, disk, clock] = [new Servers(), new TestDisk(), new VirtualClock(1_000)];
  const { outlet, spool, events } = await start(servers, disk, clock);
  servers.failure = "LOG_FULL";
  expect(await outlet.append(0, bytes("a"))).toEqual({ in: "spool", position: 1 });
  expect(await Promise.all([outlet.append(0, bytes("b")), outlet.append(1, bytes("c"))])).toEqual([
    { in: "spool", position: 2 },
    { in: "spool", position: 3 },
  ]);
  expect(outlet.isAway).toBe(true);
  expect(outlet.spooled(1, 3)).toBe("waiting");
  await until(clock, () => events.filter(({ kind }) => kind === "drainRefused").length > 3);
  servers.failure = undefined;
  await until(clock, () => !outlet.isAway);
  expect(outlet.spooled(1, 3)).toBe("drained");
  expect(servers.of(0)).toEqual(["a", "b"]);
  expect(servers.of(1)).toEqual(["c"]);
  expect(spool.isEmpty).toBe(true);
  expect(await outlet.append(0, bytes("d"))).toMatchObject({ in: "log" });
  const kinds = events.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === "away" || kind === "back")).toEqual(["away", "back"]);
});

test("what the log refuses for other reasons is refused, not spooled", async () => {
  const [servers, disk, clock] = [new Servers(), new TestDisk(), new VirtualClock(1_000)];
  const { outlet } = await start(servers, disk, clock);
  servers.failure = "INTERNAL";
  await expect(outlet.append(0, bytes("a"))).rejects.toMatchObject({ code: "INTERNAL" });
  expect(outlet.isAway).toBe(false);
});

test("without a spool the log's refusal is the answer", async () => {
  const servers = new Servers();
  const { log } = servers.connect();
  const clock = new VirtualClock(1_000);
  const outlet = new Outlet({ log, spool: undefined, ioClock: clock, onDrained() {} });
  servers.failure = "LOG_UNAVAILABLE";
  await expect(outlet.append(0, bytes("a"))).rejects.toMatchObject({ code: "LOG_UNAVAILABLE" });
});

test("a drain sends one entry of a partition at a time, and stops for an entry that is refused", async () => {
  const [servers, disk, clock] = [new Servers(), new TestDisk(), new VirtualClock(1_000)];
  const { outlet } = await start(servers, disk, clock);
  servers.failure = "LOG_UNAVAILABLE";
  const texts = Array.from({ length: 100 }, (_, i) => `${i}`);
  await Promise.all(texts.map((text, i) => outlet.append(i % 2, bytes(text))));
  servers.failure = undefined;
  servers.mostPerPartition = 0;
  const flaps = vi.fn(() => {
    servers.failure = servers.failure ? undefined : "LOG_UNAVAILABLE";
  });
  const stop = clock.every(70, flaps);
  await until(clock, () => !outlet.isAway);
  stop();
  expect(servers.mostPerPartition).toBe(1);
  expect(servers.of(0)).toEqual(texts.filter((_, i) => i % 2 === 0));
});

test("an entry that the log never takes keeps its partition waiting, and no other", async () => {
  const [servers, disk, clock] = [new Servers(), new TestDisk(), new VirtualClock(1_000)];
  const { outlet, spool } = await start(servers, disk, clock);
  servers.failure = "LOG_UNAVAILABLE";
  const texts = ["poison", "a", "b", "c", "d", "e"];
  await Promise.all(texts.map((text, i) => outlet.append(i % 4, bytes(text))));
  Object.assign(servers, { poison: "poison", failure: undefined });
  await until(clock, () => spool.depth.entries === 2);
  expect(servers.stored.map(({ text }) => text).sort()).toEqual(["a", "b", "c", "e"]);
  servers.poison = undefined;
  await until(clock, () => !outlet.isAway);
  expect(servers.of(0)).toEqual(["poison", "d"]);
});

test("a gateway that goes away drains first as long as the log takes entries, and leaves the rest for its next start", async () => {
  const [servers, disk, clock] = [new Servers(), new TestDisk(), new VirtualClock(1_000)];
  const first = await start(servers, disk, clock);
  servers.failure = "LOG_UNAVAILABLE";
  await first.outlet.append(0, bytes("a"));
  await first.outlet.close(1_000);
  await first.spool[Symbol.asyncDispose]();
  expect(disk.openHandles).toBe(0);
  servers.failure = undefined;
  const second = await start(servers, disk, clock);
  expect(second.outlet.isAway).toBe(true);
  expect(await second.outlet.append(0, bytes("b"))).toMatchObject({ in: "spool" });
  await until(clock, () => !second.outlet.isAway);
  expect(servers.of(0)).toEqual(["a", "b"]);
});

/** What can happen next. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("log" as const),
      failure: fc.constantFrom(undefined, "LOG_UNAVAILABLE" as const, "LOG_FULL" as const),
      lostAnswers: fc.constantFrom(0, 0.5),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("disk" as const),
      failure: fc.constantFrom(undefined, "EIO", "ENOSPC"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("time" as const), turns: fc.integer({ min: 1, max: 40 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("crash" as const),
      kept: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
);

type Told = { text: string; partition: number; fate: Fate; batch: number };

test("whatever fails and crashes when: what was told is in the log in the end, what was BUFFERED in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
      const [servers, clock] = [new Servers(), new VirtualClock(1_000)];
      let disk = new TestDisk();
      let process = await start(servers, disk, clock, 2_000);
      const told: Told[] = [];
      let [next, batch] = [0, 0];
      for (const one of steps) {
        if (one.kind === "log")
          Object.assign(servers, { failure: one.failure, lostAnswers: one.lostAnswers });
        else if (one.kind === "disk") disk.failure = one.failure;
        else if (one.kind === "time") await pass(clock, one.turns);
        else if (one.kind === "crash") {
          process.cut();
          disk = disk.crashed(one.kept);
          process = await start(servers, disk, clock, 2_000);
        } else {
          const appended = Array.from({ length: one.count }, () => append(process.outlet, next++, batch));
          batch++;
          // Some crash while these are under way.
          const results = await Promise.race([Promise.allSettled(appended), pass(clock, 30).then(() => [])]);
          for (const result of results) if (result.status === "fulfilled") told.push(result.value);
        }
      }
      servers.failure = undefined;
      disk.failure = undefined;
      await until(clock, () => !process.outlet.isAway);
      for (let partition = 0; partition < 4; partition++) {
        const stored = servers.of(partition);
        const mine = told.filter((one) => one.partition === partition);
        expect(mine.filter(({ text }) => !stored.includes(text))).toEqual([]);
        expectSubsequence(inOrder(mine), stored);
      }
      expect(disk.names).toEqual(["cursor"]);
    }),
    { numRuns: 1_000 },
  );
});

async function append(outlet: Outlet, number: number, batch: number): Promise<Told> {
  const partition = (number * 7) % 4;
  const text = `entry ${number}`;
  return { text, partition, batch, fate: await outlet.append(partition, bytes(text)) };
}

async function pass(clock: VirtualClock, turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) {
    clock.advanceTo(clock.now() + 20);
    await new Promise(setImmediate);
  }
}

/**
 * What must be in the log in this order: all but entries that the log took while another one of the same moment was
 * under way and refused; those two were sent together, so neither is the first.
 */
function inOrder(told: readonly Told[]): string[] {
  const spooledBatches = new Set(told.flatMap(({ fate, batch }) => (fate.in === "spool" ? [batch] : [])));
  return told.flatMap(({ text, fate, batch }) =>
    fate.in === "spool" || !spooledBatches.has(batch) ? [text] : [],
  );
}

function expectSubsequence(wanted: readonly string[], stored: readonly string[]): void {
  let at = 0;
  for (const text of wanted) {
    at = stored.indexOf(text, at) + 1;
    expect(at, `${text} in order in ${stored.join(", ")}`).toBeGreaterThan(0);
  }
}
