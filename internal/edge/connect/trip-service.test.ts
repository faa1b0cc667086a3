import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { expect, it, onTestFinished } from "vitest";
import {
  TripService as TripServiceDesc,
  TripStatus,
  WaypointKind,
} from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import type { Role } from "../../auth/principal.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import { systemClock as clock } from "../../core/time.ts";
import { openSqliteLog } from "../../eventlog/sqlite/log.ts";
import { MemoryBus } from "../../live/memory/memory-bus.ts";
import { TripAnnouncer } from "../../trips/announcer.ts";
import { TripService } from "../../trips/service.ts";
import { SqliteTrips } from "../../trips/sqlite/sqlite-trips.ts";
import { startTestEdge } from "../kit.ts";

/** The edge on the real use-cases, the real store and the real log. */
async function scene() {
  const folder = await tempFolder();
  const trips = await SqliteTrips.open({ path: folder.file("trips.sqlite") });
  const path = folder.file("log.sqlite");
  const log = await openSqliteLog({ path, region: "se1", partitions: 16, clock, limits: DEFAULT_LIMITS });
  const bus = new MemoryBus((error) => {
    throw error;
  });
  const logs = new Map([["se1", log]]);
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
  const test = await startTestEdge(new Map(), { trips: service });
  onTestFinished(async () => {
    await test[Symbol.asyncDispose]();
    announcer[Symbol.dispose]();
    await trips[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });
  const client = async (role: Role, subject: string) => {
    const token = await test.token(role, subject);
    const interceptor = (next: (request: never) => Promise<never>) => (request: { header: Headers }) => {
      request.header.set("authorization", `Bearer ${token}`);
      return next(request as never);
    };
    const interceptors = [interceptor as never];
    return createClient(
      TripServiceDesc,
      createConnectTransport({ baseUrl: test.url, httpVersion: "1.1", interceptors }),
    );
  };
  return client;
}

const position = { latitudeDeg: 57.7, longitudeDeg: 11.97 };
const waypoints = [
  { kind: WaypointKind.PICKUP, position },
  { kind: WaypointKind.DROPOFF, position },
];

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "OK",
    (error) => {
      const { code, metadata } = ConnectError.from(error);
      return `${Code[code]} ${metadata.get("bimride-code")}`;
    },
  );

it("takes a trip from its creation to its end, each party in their role", async () => {
  const clientFor = await scene();
  const backend = await clientFor("backend", "b");
  const order = { idempotencyKey: "k1", riderIds: ["r1", "r2"], driverId: "d1", waypoints };
  const made = (await backend.createTrip(order)).trip!;
  expect(made).toMatchObject({ version: 1n, status: TripStatus.NEW, generation: 1 });
  expect((await backend.createTrip(order)).trip?.tripId).toBe(made.tripId);
  expect(await codeOf(backend.createTrip({ ...order, riderIds: ["r9"] }))).toBe(
    "AlreadyExists IDEMPOTENCY_CONFLICT",
  );

  const { tripId } = made;
  const [driver, rider, other] = [
    await clientFor("driver", "d1"),
    await clientFor("rider", "r1"),
    await clientFor("rider", "r7"),
  ];
  const onTheWay = await driver.setTripStatus({
    tripId,
    status: TripStatus.ENROUTE_TO_PICKUP,
    ifVersion: 1n,
  });
  expect(onTheWay.trip).toMatchObject({ version: 2n, status: TripStatus.ENROUTE_TO_PICKUP });
  expect((await rider.getTrip({ tripId })).trip?.riderIds).toEqual(["r1"]);
  expect((await rider.listTrips({})).trips.map((trip) => trip.tripId)).toEqual([tripId]);
  expect((await other.listTrips({})).trips).toEqual([]);

  expect(await codeOf(other.getTrip({ tripId }))).toBe("NotFound NOT_FOUND");
  expect(await codeOf(other.cancelTrip({ tripId }))).toBe("NotFound NOT_FOUND");
  expect(await codeOf(rider.cancelTrip({ tripId }))).toBe("PermissionDenied ROLE_FORBIDDEN");
  expect(await codeOf(driver.setTripStatus({ tripId, status: TripStatus.NEW }))).toMatch(
    /TRANSITION_ILLEGAL/,
  );
  expect(await codeOf(backend.updateTrip({ tripId, ifVersion: 1n }))).toBe("Aborted VERSION_CONFLICT");
  expect((await backend.cancelTrip({ tripId, reason: "rain" })).trip?.cancelReason).toBe("rain");
  expect(await codeOf(backend.updateTrip({ tripId, driverId: "d2" }))).toBe("FailedPrecondition TRIP_ENDED");
});
