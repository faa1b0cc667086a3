import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { BimrideError } from "../core/errors.ts";
import { partitionOf, regionOfTrip } from "../core/ids.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { Waypoint } from "../core/trip.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { decodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import { openSqliteLog } from "../eventlog/sqlite/log.ts";
import { MemoryBus } from "../live/memory/memory-bus.ts";
import { TripAnnouncer } from "./announcer.ts";
import { type NewTripRequest, TripService } from "./service.ts";
import { SqliteTrips } from "./sqlite/sqlite-trips.ts";
import { elsewhere, REGIONS } from "./test-trips.ts";

const BACKEND = {
  role: "backend",
  subject: "b",
  signInId: "in-1",
  expiresAtMs: Number.MAX_SAFE_INTEGER,
} as const;
const BORDER_LON_DEG = 11;
const WEST = { latDeg: 59.9, lonDeg: 10.7 };
const EAST = { latDeg: 57.7, lonDeg: 11.97 };

function request(key: string, pickup: Waypoint["position"], driverId: string): NewTripRequest {
  const stop = { riderId: "", label: "" };
  return {
    ...{ idempotencyKey: key, type: "exclusive", riderIds: ["r1"], driverId, plannedPath: [] },
    waypoints: [
      { ...stop, kind: "pickup", position: pickup },
      { ...stop, kind: "dropoff", position: EAST },
    ],
  };
}

/** The service over the logs of two regions, west and east of a meridian; a process that knows those named. */
async function scene(known = ["no1", "se1"]) {
  const folder = await tempFolder();
  const clock = new VirtualClock(1_000_000);
  const trips = await SqliteTrips.open({ path: folder.file("trips.sqlite") });
  const away = new Set<string>();
  const logs = new Map<string, EventLog>();
  const opened: EventLog[] = [];
  for (const region of known) {
    const path = folder.file(`${region}.sqlite`);
    const log = await openSqliteLog({ path, region, partitions: 16, clock, limits: DEFAULT_LIMITS });
    opened.push(log);
    const append: EventLog["append"] = (partition, body) =>
      away.has(region) ? Promise.reject(new BimrideError("LOG_UNAVAILABLE")) : log.append(partition, body);
    const bounds = (partition: number) => log.bounds(partition);
    const read: EventLog["read"] = (...args) => log.read(...args);
    const health: EventLog["health"] = async () =>
      away.has(region) ? new BimrideError("LOG_UNAVAILABLE") : undefined;
    logs.set(region, { region, partitions: 16, append, bounds, read, health } as EventLog);
  }
  const bus = new MemoryBus((error) => {
    throw error;
  });
  const announcer = new TripAnnouncer({ trips, logs, bus, clock, logger: pino({ level: "silent" }) });
  let seed = 0;
  const service = new TripService({
    ...{ trips, announcer, clock, limits: DEFAULT_LIMITS },
    regionOf: ({ lonDeg }) => (lonDeg < BORDER_LON_DEG ? "no1" : "se1"),
    randomBytes: (count) => Uint8Array.from({ length: count }, (_, i) => (i < 2 ? ++seed >> 8 : seed)),
  });
  onTestFinished(async () => {
    announcer[Symbol.dispose]();
    await trips[Symbol.asyncDispose]();
    for (const log of opened) await log[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  const sweepUntil = (done: () => Promise<boolean>) =>
    expect.poll(async () => {
      clock.advanceTo(clock.now() + 1_000);
      return done();
    });
  return { service, trips, clock, logs, away, sweepUntil };
}

/** `driver or rider: version` of each trip change that the region's log has in the party's partition. */
async function toldTo(log: EventLog, kind: "driver" | "rider", id: string): Promise<number[]> {
  const partition = partitionOf({ kind, id }, log.partitions);
  const { last } = await log.bounds(partition);
  const versions: number[] = [];
  if (last === 0) return versions;
  const reading = new AbortController();
  for await (const batch of log.read(new Map([[partition, 0]]), reading.signal)) {
    for (const { body } of batch)
      for (const record of decodeEntry(body).records)
        if (record.kind === "tripChange") versions.push(record.trip.version);
    if (batch.at(-1)?.sequence === last) break;
  }
  reading.abort();
  return versions;
}

test("a trip is pinned to its pickup's region: its id names it, its changes go to that log, whatever changes", async () => {
  const { service, logs } = await scene();
  const west = await service.createTrip(BACKEND, request("k1", WEST, "d1"));
  const east = await service.createTrip(BACKEND, request("k2", EAST, "d2"));
  expect([west.region, regionOfTrip(west.tripId)]).toEqual(["no1", "no1"]);
  expect([east.region, regionOfTrip(east.tripId)]).toEqual(["se1", "se1"]);
  // The pickup moves across the border, and the driver changes: the region stays.
  const waypoints = request("", EAST, "").waypoints;
  const moved = await service.updateTrip(BACKEND, west.tripId, { waypoints, driverId: "d3" }, 0);
  expect(moved).toMatchObject({ region: "no1", tripId: west.tripId });
  expect(await toldTo(logs.get("no1")!, "driver", "d1")).toEqual([1, 2]);
  expect(await toldTo(logs.get("no1")!, "driver", "d3")).toEqual([2]);
  expect(await toldTo(logs.get("se1")!, "driver", "d2")).toEqual([1]);
  for (const id of ["d1", "d3"]) expect(await toldTo(logs.get("se1")!, "driver", id)).toEqual([]);
});

test("a repeat of an order finds the trip of whichever region it was made in", async () => {
  const { service } = await scene();
  const trip = await service.createTrip(BACKEND, request("k1", WEST, "d1"));
  expect(await service.createTrip(BACKEND, request("k1", WEST, "d1"))).toEqual(trip);
});

test("a pickup in a region that this process does not serve is refused by name, and nothing is stored", async () => {
  const { service, trips } = await scene(["se1"]);
  await expect(service.createTrip(BACKEND, request("k1", WEST, "d1"))).rejects.toMatchObject({
    code: "LOG_UNAVAILABLE",
    message: expect.stringContaining("no1"),
  });
  expect(await trips.list({}, 10, "")).toEqual([]);
});

test("a region whose log is away holds up no other: its changes wait, however many, the others' are told", async () => {
  const { service, trips, clock, away, logs, sweepUntil } = await scene();
  for (const region of logs.keys()) away.add(region);
  const waiting = 250;
  for (let i = 0; i < waiting; i++) await service.createTrip(BACKEND, request(`w${i}`, WEST, ""));
  await service.createTrip(BACKEND, request("e", EAST, "d9"));
  clock.advanceTo(clock.now() + 2_000);
  away.delete("se1");
  const pendingIn = async (region: string) => (await trips.pending([region], 1_000)).length;
  await sweepUntil(async () => (await pendingIn("se1")) === 0).toBe(true);
  expect(await toldTo(logs.get("se1")!, "driver", "d9")).toEqual([1]);
  expect(await pendingIn("no1")).toBe(waiting);
  away.clear();
  await sweepUntil(async () => (await pendingIn("no1")) === 0).toBe(true);
});

test("changes of a region that this process does not know are left to those who do", async () => {
  const { trips, service, sweepUntil } = await scene(["se1"]);
  const trip = await service.createTrip(BACKEND, request("k1", EAST, ""));
  const foreign = elsewhere(trip);
  await trips.put(foreign);
  await trips.put({ ...trip, version: 2, plannedPath: [EAST] });
  await sweepUntil(async () => (await trips.pending(REGIONS, 10)).length === 1).toBe(true);
  expect((await trips.pending(REGIONS, 10))[0]?.trip).toEqual(foreign);
});
