import pino from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import type { Principal, Role } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import { newTripId, partitionOf } from "../core/ids.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { Trip, Waypoint } from "../core/trip.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { decodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import { openSqliteLog } from "../eventlog/sqlite/log.ts";
import type { PartyMessage } from "../live/bus.ts";
import { MemoryBus } from "../live/memory/memory-bus.ts";
import { TripAnnouncer } from "./announcer.ts";
import { type NewTripRequest, TripService } from "./service.ts";
import { SqliteTrips } from "./sqlite/sqlite-trips.ts";
import { REGIONS } from "./test-trips.ts";

function stop(kind: Waypoint["kind"], fields: Partial<Waypoint> = {}): Waypoint {
  return { kind, position: { latDeg: 57.7, lonDeg: 11.97 }, riderId: "", label: "", ...fields };
}

function request(idempotencyKey: string, fields: Partial<NewTripRequest> = {}): NewTripRequest {
  const waypoints = [stop("pickup"), stop("dropoff")];
  return {
    idempotencyKey,
    type: "exclusive",
    riderIds: ["r1"],
    driverId: "d1",
    waypoints,
    plannedPath: [],
    ...fields,
  };
}

function as(role: Role, subject: string = role): Principal {
  return { role, subject, signInId: "in-1", expiresAtMs: Number.MAX_SAFE_INTEGER };
}

const BACKEND = as("backend");

/** The service on real engines; `breakLog` makes appends fail as when the log is away. */
async function scene() {
  const folder = await tempFolder();
  const clock = new VirtualClock(1_000_000);
  const trips = await SqliteTrips.open({ path: folder.file("trips.sqlite") });
  const path = folder.file("log.sqlite");
  const log = await openSqliteLog({ path, region: "se1", partitions: 16, clock, limits: DEFAULT_LIMITS });
  const bus = new MemoryBus((error) => {
    throw error;
  });
  let away = false;
  const append: EventLog["append"] = (partition, body) =>
    away ? Promise.reject(new BimrideError("LOG_UNAVAILABLE")) : log.append(partition, body);
  const health: EventLog["health"] = async () => (away ? new BimrideError("LOG_UNAVAILABLE") : undefined);
  const shaky = { partitions: log.partitions, append, health } as EventLog;
  const logs = new Map([["se1", shaky]]);
  const announcer = new TripAnnouncer({ trips, logs, bus, clock, logger: pino({ level: "silent" }) });
  let seed = 0;
  const randomBytes = (count: number) => new Uint8Array(count).fill(++seed);
  const service = new TripService({
    trips,
    announcer,
    clock,
    limits: DEFAULT_LIMITS,
    regionOf: () => "se1",
    randomBytes,
  });
  onTestFinished(async () => {
    announcer[Symbol.dispose]();
    await trips[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  return { service, trips, log, bus, clock, setLogAway: (value: boolean) => (away = value) };
}

/** The versions of trips that a party's partition was told. */
async function told(log: EventLog, kind: "driver" | "rider", id: string): Promise<number[]> {
  const partition = partitionOf({ kind, id }, log.partitions);
  const { last } = await log.bounds(partition);
  const abort = new AbortController();
  const versions: number[] = [];
  if (last === 0) return versions;
  const others = Array.from({ length: log.partitions }, (_, i) =>
    log.bounds(i).then((b) => [i, b.last] as const),
  );
  const cursors = new Map(await Promise.all(others)).set(partition, 0);
  for await (const batch of log.read(cursors, abort.signal)) {
    for (const entry of batch)
      for (const record of decodeEntry(entry.body).records)
        if (record.kind === "tripChange") versions.push(record.trip.version);
    if (batch.some((entry) => entry.sequence === last)) break;
  }
  abort.abort();
  return versions;
}

describe("creating a trip", () => {
  it("stores it, tells the log and the driver", async () => {
    const { service, trips, log, bus } = await scene();
    const heard: PartyMessage[] = [];
    await bus.listen("driver/d1", (message) => heard.push(message));
    const trip = await service.createTrip(BACKEND, request("k1"));
    expect(trip).toMatchObject({ version: 1, generation: 1, status: "NEW", region: "se1" });
    expect(await trips.get(trip.tripId)).toEqual(trip);
    expect(await trips.pending(REGIONS, 10)).toEqual([]);
    expect(await told(log, "driver", "d1")).toEqual([1]);
    expect(heard).toEqual([
      { partyKey: "driver/d1", kind: "assignmentChanged", tripId: trip.tripId, tripVersion: 1 },
    ]);
  });

  it("gives a repeat the same trip, and refuses another order under the key", async () => {
    const { service } = await scene();
    const trip = await service.createTrip(BACKEND, request("k1"));
    expect(await service.createTrip(BACKEND, request("k1"))).toEqual(trip);
    await expect(service.createTrip(BACKEND, request("k1", { riderIds: ["r2"] }))).rejects.toMatchObject({
      code: "IDEMPOTENCY_CONFLICT",
    });
    const other = await service.createTrip(as("backend", "other"), request("k1", { driverId: "d2" }));
    expect(other.tripId).not.toBe(trip.tripId);
  });

  it("makes one trip of many concurrent repeats", async () => {
    const { service } = await scene();
    const made = await Promise.all(
      Array.from({ length: 10 }, () => service.createTrip(BACKEND, request("k1"))),
    );
    expect(new Set(made.map((trip) => trip.tripId)).size).toBe(1);
  });

  it("refuses a driver who has a running trip", async () => {
    const { service } = await scene();
    const trip = await service.createTrip(BACKEND, request("k1"));
    await expect(service.createTrip(BACKEND, request("k2"))).rejects.toMatchObject({ code: "DRIVER_BUSY" });
    const free = await service.createTrip(BACKEND, request("k3", { driverId: "" }));
    const assign = service.updateTrip(BACKEND, free.tripId, { driverId: "d1" }, 0);
    await expect(assign).rejects.toMatchObject({ code: "DRIVER_BUSY" });
    await service.cancel(BACKEND, trip.tripId, "no show");
    expect((await service.updateTrip(BACKEND, free.tripId, { driverId: "d1" }, 0)).driverId).toBe("d1");
  });

  it("is for the backend only", async () => {
    const { service } = await scene();
    for (const role of ["driver", "rider", "support", "ops", "admin"] as const)
      await expect(service.createTrip(as(role), request("k"))).rejects.toMatchObject({
        code: "ROLE_FORBIDDEN",
      });
  });

  const path = (length: number) => Array.from({ length }, () => ({ latDeg: 57.7, lonDeg: 11.97 }));
  const pickup = stop("pickup");
  const dropoff = stop("dropoff");
  const faults: [string, Partial<NewTripRequest>, string][] = [
    ["no rider", { riderIds: [] }, "rider_ids"],
    ["a rider twice", { riderIds: ["r1", "r1"] }, "rider_ids[1]"],
    ["an id with a slash", { riderIds: ["r/1"] }, "rider_ids[0]"],
    ["a driver id too long", { driverId: "d".repeat(65) }, "driver_id"],
    ["one waypoint", { waypoints: [pickup] }, "waypoints"],
    ["21 waypoints", { waypoints: [pickup, ...Array(19).fill(stop("intermediate")), dropoff] }, "waypoints"],
    ["a dropoff first", { waypoints: [dropoff, dropoff] }, "waypoints[0].kind"],
    ["a pickup last", { waypoints: [pickup, pickup] }, "waypoints[1].kind"],
    [
      "a stranger's waypoint",
      { waypoints: [pickup, stop("dropoff", { riderId: "r9" })] },
      "waypoints[1].rider_id",
    ],
    [
      "a label too long",
      { waypoints: [stop("pickup", { label: "x".repeat(201) }), dropoff] },
      "waypoints[0].label",
    ],
    [
      "latitude 91",
      { waypoints: [pickup, stop("dropoff", { position: { latDeg: 91, lonDeg: 0 } })] },
      "waypoints[1].position.latitude_deg",
    ],
    [
      "a path with NaN",
      { plannedPath: [{ latDeg: 57, lonDeg: Number.NaN }] },
      "planned_path[0].longitude_deg",
    ],
    ["5,001 points", { plannedPath: path(5_001) }, "planned_path"],
    ["no key", { idempotencyKey: "" }, "idempotency_key"],
    ["a key too long", { idempotencyKey: "k".repeat(129) }, "idempotency_key"],
  ];
  it("names the field that is at fault", async () => {
    const { service } = await scene();
    for (const [what, fields, field] of faults)
      await expect(service.createTrip(BACKEND, request("k", fields)), what).rejects.toMatchObject({
        code: "FIELD_INVALID",
        field,
      });
    expect(await service.createTrip(BACKEND, request("k", { plannedPath: path(5_000) }))).toMatchObject({
      version: 1,
    });
  });
});

describe("access", () => {
  const attempts = (service: TripService, who: Principal, { tripId }: Pick<Trip, "tripId">) => ({
    read: () => service.getTrip(who, tripId),
    status: () => service.setStatus(who, tripId, "ENROUTE_TO_PICKUP", 0),
    update: () => service.updateTrip(who, tripId, { riderIds: ["r1"] }, 0),
    act: () => service.act(who, tripId, "arrive", 0),
    share: () => service.shareLocation(who, tripId, true),
    cancel: () => service.cancel(who, tripId, ""),
  });
  const outcome = (attempt: () => Promise<Trip>) =>
    attempt().then(
      () => "ok",
      (error) => error.code,
    );

  it("gives each role what it may, and nobody else a sign that the trip exists", async () => {
    const { service } = await scene();
    const trip = await service.createTrip(BACKEND, request("k1"));
    const missing = { tripId: newTripId("se1", 0, new Uint8Array(10)) };
    const no = "NOT_FOUND";
    const none = { read: no, status: no, update: no, act: no, share: no, cancel: no };
    const reader = {
      read: "ok",
      status: "ROLE_FORBIDDEN",
      update: "ROLE_FORBIDDEN",
      act: "ROLE_FORBIDDEN",
      share: "ROLE_FORBIDDEN",
      cancel: "ROLE_FORBIDDEN",
    };
    const table: [Principal, Record<string, string>][] = [
      [as("driver", "d2"), none],
      [as("rider", "r2"), none],
      [as("rider", "d1"), none],
      [as("driver", "r1"), none],
      [as("rider", "r1"), { ...reader, share: "ok" }],
      [as("support"), reader],
      [as("ops"), reader],
      [as("admin"), reader],
      [as("driver", "d1"), { ...reader, status: "ok", act: "ok" }],
      [BACKEND, { read: "ok", status: "ok", update: "ok", act: "ok", share: "ROLE_FORBIDDEN", cancel: "ok" }],
    ];
    for (const [who, expected] of table)
      for (const [name, attempt] of Object.entries(attempts(service, who, trip)))
        expect(await outcome(attempt), `${who.role} ${who.subject}: ${name}`).toBe(expected[name]);
    for (const [who] of table)
      for (const attempt of Object.values(attempts(service, who, missing)))
        expect(await outcome(attempt)).toBe("NOT_FOUND");
  });

  it("lets riders share their own place and nobody else's", async () => {
    const { service } = await scene();
    const { tripId } = await service.createTrip(BACKEND, request("k1", { riderIds: ["r1", "r2"] }));
    const shared = await service.shareLocation(as("rider", "r2"), tripId, true);
    expect(shared).toMatchObject({ version: 2, sharingRiderIds: ["r2"] });
    expect(await service.shareLocation(as("rider", "r2"), tripId, true)).toEqual(shared);
    await service.shareLocation(as("rider", "r1"), tripId, false);
    expect(await service.shareLocation(as("rider", "r2"), tripId, false)).toMatchObject({
      sharingRiderIds: [],
    });
  });

  it("tells the partition of a rider who shares their place, until after they took it back, and their streams", async () => {
    const { service, log, bus } = await scene();
    const heard: PartyMessage[] = [];
    await bus.listen("rider/r2", (message) => heard.push(message));
    const riderIds = ["r1", "r2"];
    const { tripId } = await service.createTrip(BACKEND, request("k1", { riderIds }));
    expect(await told(log, "rider", "r2")).toEqual([]);
    await service.shareLocation(as("rider", "r2"), tripId, true);
    await service.setStatus(BACKEND, tripId, "ENROUTE_TO_PICKUP", 0);
    await service.shareLocation(as("rider", "r2"), tripId, false);
    await service.setStatus(BACKEND, tripId, "ARRIVED_AT_PICKUP", 0);
    expect(await told(log, "rider", "r2")).toEqual([2, 3, 4]);
    await service.shareLocation(as("rider", "r2"), tripId, true);
    await service.updateTrip(BACKEND, tripId, { riderIds: ["r1"] }, 0);
    await service.cancel(BACKEND, tripId, "");
    expect(await told(log, "rider", "r2")).toEqual([2, 3, 4, 6, 7]);
    expect(heard).toHaveLength(7);
  });

  it("lets riders and drivers list their own trips only", async () => {
    const { service } = await scene();
    const first = await service.createTrip(BACKEND, request("k1"));
    const second = await service.createTrip(
      BACKEND,
      request("k2", { driverId: "d2", riderIds: ["r1", "r2"] }),
    );
    const ids = async (who: Principal, filter = {}) =>
      (await service.list(who, filter, 10, "")).map((trip) => trip.tripId).sort();
    expect(await ids(BACKEND)).toEqual([first.tripId, second.tripId].sort());
    expect(await ids(as("rider", "r2"))).toEqual([second.tripId]);
    expect(await ids(as("driver", "d1"), { driverId: "d1" })).toEqual([first.tripId]);
    await expect(service.list(as("rider", "r2"), { riderId: "r1" }, 10, "")).rejects.toThrow(BimrideError);
  });
});

describe("changes", () => {
  it("compare the version that the caller knew", async () => {
    const { service } = await scene();
    const { tripId } = await service.createTrip(BACKEND, request("k1"));
    await service.setStatus(BACKEND, tripId, "ENROUTE_TO_PICKUP", 1);
    await expect(service.setStatus(BACKEND, tripId, "ARRIVED_AT_PICKUP", 1)).rejects.toMatchObject({
      code: "VERSION_CONFLICT",
    });
  });

  it("that run into each other are all done, one after the other", async () => {
    const { service } = await scene();
    const { tripId } = await service.createTrip(BACKEND, request("k1"));
    const path = (i: number) => [{ latDeg: i, lonDeg: i }];
    const changes = [1, 2, 3, 4].map((i) => service.updateTrip(BACKEND, tripId, { plannedPath: path(i) }, 0));
    const versions = (await Promise.all(changes)).map((trip) => trip.version);
    expect(versions.sort()).toEqual([2, 3, 4, 5]);
  });

  it("that the state machine refuses say why", async () => {
    const { service } = await scene();
    const { tripId } = await service.createTrip(BACKEND, request("k1"));
    await expect(service.setStatus(BACKEND, tripId, "COMPLETE", 0)).rejects.toMatchObject({
      code: "TRANSITION_ILLEGAL",
      message: expect.stringContaining("pickup"),
    });
    const canceled = await service.cancel(BACKEND, tripId, "no show");
    expect(await service.cancel(BACKEND, tripId, "again")).toEqual(canceled);
    const update = service.updateTrip(BACKEND, tripId, { driverId: "d2" }, 0);
    await expect(update).rejects.toMatchObject({ code: "TRIP_ENDED" });
  });

  it("of the driver reach the partitions and the streams of both", async () => {
    const { service, log, bus } = await scene();
    const { tripId } = await service.createTrip(BACKEND, request("k1"));
    const heard: string[] = [];
    for (const id of ["d1", "d2"]) await bus.listen(`driver/${id}`, () => heard.push(id));
    await service.updateTrip(BACKEND, tripId, { driverId: "d2" }, 0);
    expect(await told(log, "driver", "d1")).toEqual([1, 2]);
    expect(await told(log, "driver", "d2")).toContain(2);
    expect(heard.sort()).toEqual(["d1", "d2"]);
  });

  it("detected by the pipeline are stored, unless something newer stands", async () => {
    const { service, clock } = await scene();
    const { tripId } = await service.createTrip(BACKEND, request("k1"));
    const detection = { tripId, tripVersion: 1, status: "ENROUTE_TO_PICKUP" as const, waypointIndex: 0 };
    await service.proposeDetected({ ...detection, atMs: clock.now() + 1 });
    expect(await service.getTrip(BACKEND, tripId)).toMatchObject({ statusSource: "detected", version: 2 });
    await service.setStatus(as("driver", "d1"), tripId, "ARRIVED_AT_PICKUP", 0);
    await service.proposeDetected({ ...detection, status: "ENROUTE_TO_PICKUP", atMs: clock.now() + 2 });
    await service.proposeDetected({ ...detection, tripId: newTripId("se1", 0, new Uint8Array(10)), atMs: 1 });
    expect(await service.getTrip(BACKEND, tripId)).toMatchObject({ status: "ARRIVED_AT_PICKUP", version: 3 });
  });
});

describe("when something is away", () => {
  it("a change that the log could not take is stored, and told later by the sweeper", async () => {
    const { service, trips, log, clock, setLogAway } = await scene();
    setLogAway(true);
    const { tripId } = await service.createTrip(BACKEND, request("k1"));
    await service.updateTrip(BACKEND, tripId, { driverId: "d2" }, 0);
    expect(await trips.pending(REGIONS, 10)).toHaveLength(2);
    clock.advanceTo(clock.now() + 3_000);
    setLogAway(false);
    await expect
      .poll(async () => {
        clock.advanceTo(clock.now() + 1_000);
        return trips.pending(REGIONS, 10);
      })
      .toEqual([]);
    expect(new Set(await told(log, "driver", "d1"))).toEqual(new Set([1, 2]));
    expect(await told(log, "driver", "d2")).toContain(2);
  });

  it("a store that is away is STORE_UNAVAILABLE for everybody", async () => {
    const { service, trips } = await scene();
    await trips[Symbol.asyncDispose]();
    const unavailable = { code: "STORE_UNAVAILABLE" };
    await expect(service.createTrip(BACKEND, request("k1"))).rejects.toMatchObject(unavailable);
    await expect(service.list(BACKEND, {}, 10, "")).rejects.toMatchObject(unavailable);
  });
});
