import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { BimrideError } from "../core/errors.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { EventLog } from "../eventlog/log.ts";
import { MemoryBus } from "../live/memory/memory-bus.ts";
import { TripAnnouncer } from "./announcer.ts";
import { SqliteTrips } from "./sqlite/sqlite-trips.ts";
import { elsewhere, REGIONS, trip } from "./test-trips.ts";
import type { Trips } from "./trips.ts";

/** What a log that is away or full does, which no real one does by itself. `knows`: it notices when it is well again. */
class ShakyLog {
  readonly partitions = 16;
  isAway = false;
  knows = true;
  #fault: Error | undefined;

  async append(): Promise<number> {
    this.#fault = this.isAway ? new BimrideError("LOG_FULL") : undefined;
    if (this.#fault) throw this.#fault;
    return 1;
  }

  async health(): Promise<Error | undefined> {
    if (this.isAway) this.#fault ??= new BimrideError("LOG_UNAVAILABLE");
    else if (this.knows) this.#fault = undefined;
    return this.#fault;
  }
}

async function scene() {
  const folder = await tempFolder();
  const clock = new VirtualClock(1_000_000);
  const store = await SqliteTrips.open({ path: folder.file("trips.sqlite") });
  /** The regions of each question, and when. */
  const asked: { atMs: number; regions: string }[] = [];
  let underWay = 0;
  const counted = async <T>(answer: Promise<T>) => {
    underWay++;
    return answer.finally(() => underWay--);
  };
  const trips = {
    pending(regions: readonly string[], limit: number) {
      asked.push({ atMs: clock.now() - 1_000_000, regions: regions.join(" ") });
      return counted(store.pending(regions, limit));
    },
    get: (tripId: string) => counted(store.get(tripId)),
    published: (tripId: string, version: number) => counted(store.published(tripId, version)),
  } as Trips;
  const west = new ShakyLog();
  const east = new ShakyLog();
  const logs = new Map([
    ["no1", west as Pick<EventLog, "append"> as EventLog],
    ["se1", east as Pick<EventLog, "append"> as EventLog],
  ]);
  const bus = new MemoryBus((error) => {
    throw error;
  });
  const announcer = new TripAnnouncer({ trips, logs, bus, clock, logger: pino({ level: "silent" }) });
  onTestFinished(async () => {
    announcer[Symbol.dispose]();
    await store[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  /** Seconds pass, each with its sweep done. */
  const pass = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      clock.advanceTo(clock.now() + 1_000);
      do await new Promise((resolve) => setImmediate(resolve));
      while (underWay > 0);
    }
  };
  return { store, asked, west, east, pass };
}

test("the sweeper asks only for regions whose log is well, and for all again as soon as they are", async () => {
  const { store, asked, west, pass } = await scene();
  for (const one of [elsewhere(trip(1)), trip(2)]) await store.put(one);
  west.isAway = true;
  await pass(2);
  expect(asked.map(({ regions }) => regions)).toEqual(["se1", "se1"]);
  expect((await store.pending(REGIONS, 10)).map((one) => one.trip.region)).toEqual(["no1"]);
  west.isAway = false;
  await pass(1);
  expect(asked.at(-1)).toEqual({ atMs: 3_000, regions: "no1 se1" });
  expect(await store.pending(REGIONS, 10)).toEqual([]);
});

test("a log in trouble is tried with growing pauses, so that one that learns from appends alone comes back", async () => {
  const { store, asked, west, east, pass } = await scene();
  await store.put(trip(1));
  west.isAway = true;
  east.isAway = true;
  east.knows = false;
  await pass(75);
  expect(asked.map(({ atMs }) => atMs / 1_000)).toEqual([3, 7, 15, 31, 61]);
  expect(await store.pending(REGIONS, 10)).toHaveLength(1);
  east.isAway = false;
  await pass(16);
  expect(asked.at(-1)?.atMs).toBe(91_000);
  expect(await store.pending(REGIONS, 10)).toEqual([]);
  await pass(1);
  expect(asked.at(-1)).toEqual({ atMs: 92_000, regions: "se1" });
});
