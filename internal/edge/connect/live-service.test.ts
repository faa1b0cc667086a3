import { toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import {
  Freshness,
  FreshnessReason,
  LiveService,
  type WatchTripsResponse,
  WatchTripsResponseSchema,
} from "../../../gen/bimride/tracking/v1/live_pb.ts";
import { TripStatus } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import { BimrideError } from "../../core/errors.ts";
import type { Trip } from "../../core/trip.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { tripOf } from "../../live/kit.ts";
import { someTripId, startTestEdge, type TestEdge, type TestEdgeOptions } from "../kit.ts";

const START_MS = 1_700_000_000_000;
const TRIP = someTripId(1);
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]();
});

async function edgeWith(trips: Trip[] = [], options: TestEdgeOptions = {}): Promise<TestEdge> {
  const test = await startTestEdge(new Map(trips.map((trip) => [trip.tripId, trip])), options);
  open.push(test);
  return test;
}

function clientOf(test: TestEdge, token?: string) {
  const transport = createConnectTransport({
    baseUrl: test.url,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        if (token) request.header.set("authorization", `Bearer ${token}`);
        return next(request);
      },
    ],
  });
  return createClient(LiveService, transport);
}

/** Reads a watch message by message. */
function reader(test: TestEdge, token: string | undefined, ids: string[], resume?: { sequence: number }) {
  const abort = new AbortController();
  const targets = ids.map((tripId) =>
    resume
      ? { tripId, resumeAfter: { generation: 1, sequence: BigInt(resume.sequence), index: 0 } }
      : { tripId },
  );
  const stream = clientOf(test, token)
    .watchTrips({ targets }, { signal: abort.signal })
    [Symbol.asyncIterator]();
  open.push({ [Symbol.asyncDispose]: async () => abort.abort() });
  const next = async (): Promise<WatchTripsResponse["message"]> => {
    const { value, done } = await stream.next();
    return done ? { case: undefined } : value.message;
  };
  /** The next message of the kind; the others before it are skipped. */
  const until = async (kind: WatchTripsResponse["message"]["case"]) => {
    for (;;) {
      const message = await next();
      if (message.case === kind || message.case === undefined) return message;
    }
  };
  return { next, until, stop: () => abort.abort() };
}

/** What was observed of one hop. */
async function hops(test: TestEdge, hop: string) {
  const text = await test.registry.metrics();
  const read = (what: string) =>
    Number(text.split(`bimride_edge_hop_ms_${what}{hop="${hop}"} `)[1]?.split("\n")[0]);
  return { count: read("count"), sumMs: read("sum") };
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no failure",
    (error) => {
      const { code, metadata } = ConnectError.from(error);
      return `${Code[code]} ${metadata.get("bimride-code")}`;
    },
  );

describe("WatchTrips", () => {
  it("starts with the watch's name, then a snapshot, then each change with its version", async () => {
    const test = await edgeWith();
    const car = await test.start(tripOf(TRIP));
    await car.move(Date.now() - 100);
    const watch = reader(test, await test.token("rider", "r1"), [TRIP]);
    expect((await watch.next()).case).toBe("started");
    const snapshot = await watch.next();
    if (snapshot.case !== "snapshot") throw new Error(`unexpected ${snapshot.case}`);
    expect(snapshot.value.version).toMatchObject({ generation: 1, sequence: 2n, index: 0 });
    expect(snapshot.value.trip).toMatchObject({ tripId: TRIP, status: TripStatus.ENROUTE_TO_PICKUP });
    expect(snapshot.value.freshness?.freshness).toBe(Freshness.LIVE);
    expect(snapshot.value.trail).toHaveLength(1);

    await car.move(Date.now());
    const update = await watch.next();
    if (update.case !== "update") throw new Error(`unexpected ${update.case}`);
    expect(update.value.version?.sequence).toBe(3n);
    expect(update.value.position).toMatchObject({ headingDeg: 90, speedCmps: 1_000, accuracyDm: 50 });
    expect(update.value.trip).toBeUndefined();
    expect(update.value.freshness).toBeUndefined();
  });

  it("counts the hops of what came over the bus while it watched, and 0 where clocks differ", async () => {
    const test = await edgeWith();
    const car = await test.start(tripOf(TRIP));
    await car.move(Date.now() - 600_000);
    const early = reader(test, await test.token("rider", "r1"), [TRIP]);
    await early.until("snapshot");
    expect(await hops(test, "processedToPublished")).toEqual({ count: 0, sumMs: 0 });
    await car.move(Date.now() + 60_000);
    await early.until("update");
    expect(await hops(test, "processedToPublished")).toEqual({ count: 1, sumMs: 0 });
    expect(await hops(test, "deviceToGateway")).toEqual({ count: 1, sumMs: 20 });

    const resumed = reader(test, await test.token("rider", "r1"), [TRIP], { sequence: 2 });
    expect((await resumed.until("update")).case).toBe("update");
    expect(await hops(test, "deviceToGateway")).toEqual({ count: 1, sumMs: 20 });
    await car.move(Date.now() + 61_000);
    await Promise.all([early.until("update"), resumed.until("update")]);
    expect(await hops(test, "deviceToGateway")).toEqual({ count: 3, sumMs: 60 });
  });

  it("needs a good token, and treats another rider's trip exactly as one that does not exist", async () => {
    const test = await edgeWith();
    await test.start(tripOf(TRIP));
    expect(await failureOf(reader(test, undefined, [TRIP]).next())).toBe("Unauthenticated TOKEN_MISSING");
    expect(await failureOf(reader(test, "a.b.c", [TRIP]).next())).toBe("Unauthenticated TOKEN_INVALID");
    const expired = await test.token("rider", "r1", -5_000);
    expect(await failureOf(reader(test, expired, [TRIP]).next())).toBe("Unauthenticated TOKEN_EXPIRED");

    for (const [role, subject] of [
      ["rider", "r2"],
      ["driver", "d2"],
      ["backend", "b"],
      ["admin", "a"],
    ] as const) {
      const missing = someTripId(404);
      const watch = reader(test, await test.token(role, subject), [TRIP, missing, "../../etc"]);
      expect((await watch.next()).case).toBe("started");
      for (const tripId of [TRIP, missing, "../../etc"]) {
        const value = { tripId, code: "NOT_FOUND", retryable: false };
        expect(await nextUnavailable(watch)).toContainEqual(value);
      }
      expect((await watch.next()).case).toBeUndefined();
    }

    async function nextUnavailable(watch: ReturnType<typeof reader>) {
      const message = await watch.next();
      if (message.case !== "unavailable") throw new Error(`unexpected ${message.case}`);
      const { tripId, code, retryable } = message.value;
      const all = [TRIP, someTripId(404), "../../etc"].filter((id) => id !== tripId);
      return [{ tripId, code, retryable }, ...all.map((id) => ({ tripId: id, code, retryable }))];
    }
  });

  it("carries several trips in one stream, and goes on with the others when one can't be seen", async () => {
    const test = await edgeWith();
    const one = await test.start(tripOf(TRIP));
    const two = await test.start(tripOf(someTripId(2)));
    const watch = reader(test, await test.token("ops", "o"), [TRIP, someTripId(404), someTripId(2)]);
    const cases = [await watch.next(), await watch.next(), await watch.next(), await watch.next()];
    expect(cases.map((message) => message.case).sort()).toEqual([
      "snapshot",
      "snapshot",
      "started",
      "unavailable",
    ]);
    await one.move(Date.now());
    expect(await watch.next()).toMatchObject({ case: "update", value: { tripId: TRIP } });
    await two.move(Date.now());
    expect(await watch.next()).toMatchObject({ case: "update", value: { tripId: someTripId(2) } });
  });

  it("resumes with what was missed, says unchanged when nothing was, and gives a snapshot when it can't know", async () => {
    const test = await edgeWith();
    const car = await test.start(tripOf(TRIP));
    const token = await test.token("rider", "r1");
    const first = reader(test, token, [TRIP]);
    await first.until("snapshot");
    await car.move(Date.now());
    await first.until("update");
    first.stop();

    const same = reader(test, token, [TRIP], { sequence: 2 });
    await same.next();
    expect(await same.next()).toMatchObject({
      case: "unchanged",
      value: { freshness: { freshness: Freshness.LIVE } },
    });
    await car.move(Date.now());
    await same.until("update");

    const missed = reader(test, token, [TRIP], { sequence: 2 });
    await missed.next();
    const update = await missed.next();
    if (update.case !== "update") throw new Error(`unexpected ${update.case}`);
    expect(update.value.version?.sequence).toBe(3n);

    const unknown = reader(test, token, [TRIP], { sequence: 0 });
    await unknown.next();
    expect((await unknown.next()).case).toBe("snapshot");
  });

  it("beats every 15 s when nothing else was sent, and tells freshness that time alone changed", async () => {
    const clock = new VirtualClock(START_MS);
    const test = await edgeWith([], { clock });
    const car = await test.start(tripOf(TRIP));
    await car.move(START_MS);
    const watch = reader(test, await test.token("rider", "r1"), [TRIP]);
    await watch.until("snapshot");
    const advance = (toMs: number) => clock.advanceTo(START_MS + toMs);
    advance(10_000);
    const delayed = await watch.next();
    expect(delayed).toMatchObject({
      case: "update",
      value: {
        freshness: { freshness: Freshness.DELAYED, reason: FreshnessReason.NO_SIGNAL },
      },
    });
    advance(25_000);
    expect(await watch.next()).toMatchObject({
      case: "heartbeat",
      value: { serverTimeMs: BigInt(START_MS + 25_000) },
    });
    advance(30_000);
    expect(await watch.next()).toMatchObject({
      case: "update",
      value: { freshness: { freshness: Freshness.STALE } },
    });
  });

  it("ends when the token expires, unless RefreshWatch extended it", async () => {
    const clock = new VirtualClock(START_MS);
    const test = await edgeWith([], { clock });
    await test.start(tripOf(TRIP));
    const watch = reader(test, await test.token("rider", "r1", 10_000), [TRIP]);
    const started = await watch.next();
    if (started.case !== "started") throw new Error("not started");
    expect(started.value.expiresAtMs).toBe(BigInt(START_MS + 10_000));
    await watch.next();

    const { watchId } = started.value;
    const stranger = clientOf(test, await test.token("rider", "r2"));
    expect(await failureOf(stranger.refreshWatch({ watchId }))).toBe("NotFound NOT_FOUND");
    const fresh = clientOf(test, await test.token("rider", "r1", 20_000));
    expect((await fresh.refreshWatch({ watchId })).expiresAtMs).toBe(BigInt(START_MS + 20_000));

    clock.advanceTo(START_MS + 15_000);
    expect((await watch.next()).case).toBe("heartbeat");
    const end = failureOf(watch.next());
    clock.advanceTo(START_MS + 20_000);
    expect(await end).toBe("Unauthenticated TOKEN_EXPIRED");
  });

  it("stops telling a rider who was taken off the trip, and a driver who was replaced", async () => {
    const test = await edgeWith();
    const car = await test.start({ ...tripOf(TRIP), riderIds: ["r1", "r2"] });
    const rider = reader(test, await test.token("rider", "r2"), [TRIP]);
    const driver = reader(test, await test.token("driver", "d1"), [TRIP]);
    await rider.until("snapshot");
    await driver.until("snapshot");
    await car.publish(car.maker.next({ trip: tripOf(TRIP) }));
    expect(await rider.next()).toMatchObject({ case: "unavailable", value: { code: "NOT_FOUND" } });
    await driver.until("update");
    await car.publish(car.maker.begin({ ...tripOf(TRIP, 2), driverId: "d2" }));
    expect(await driver.next()).toMatchObject({ case: "unavailable", value: { code: "NOT_FOUND" } });
  });

  it("tells a new driver as a snapshot, because everything begins anew", async () => {
    const test = await edgeWith();
    const car = await test.start(tripOf(TRIP));
    await car.move(Date.now());
    const watch = reader(test, await test.token("rider", "r1"), [TRIP]);
    await watch.until("snapshot");
    await car.publish(car.maker.begin({ ...tripOf(TRIP, 2), driverId: "d2" }));
    const message = await watch.next();
    if (message.case !== "snapshot") throw new Error(`unexpected ${message.case}`);
    expect(message.value).toMatchObject({ version: { generation: 2 }, trip: { driverId: "d2" }, trail: [] });
    expect(message.value.position).toBeUndefined();
    expect(message.value.freshness?.reason).toBe(FreshnessReason.NO_POSITION_YET);
  });

  it("shows a trip that was created a moment ago before its live state exists, and then that", async () => {
    const trip = tripOf(TRIP);
    const test = await edgeWith([trip]);
    trip.createdAtMs = test.clock.now();
    const token = await test.token("rider", "r1");
    const watch = reader(test, token, [TRIP]);
    expect(await watch.until("snapshot")).toMatchObject({
      value: { version: { generation: 1, sequence: 0n } },
    });
    const { live } = await clientOf(test, token).getLiveTrip({ tripId: TRIP });
    expect(live?.version).toMatchObject({ generation: 1, sequence: 0n });
    const car = await test.start(trip);
    test.bus.publish({
      tripId: TRIP,
      version: car.live.version,
      previous: { generation: 1, sequence: 0, index: 0 },
      trip,
    });
    expect(await watch.until("snapshot")).toMatchObject({
      value: { version: { generation: 1, sequence: 1n } },
    });
  });

  it("shows nothing of a trip whose live state was lost until it is there again, and says so if it takes long", async () => {
    const lost = someTripId(5);
    const test = await edgeWith([tripOf(TRIP), tripOf(lost)]);
    const token = await test.token("rider", "r1");
    const poll = (tripId: string, as = token) => failureOf(clientOf(test, as).getLiveTrip({ tripId }));
    expect(await poll(TRIP)).toBe("Unavailable STORE_UNAVAILABLE");
    expect(await poll(TRIP, await test.token("rider", "r2"))).toBe("NotFound NOT_FOUND");
    const watch = reader(test, token, [TRIP, lost]);
    expect((await watch.next()).case).toBe("started");
    const car = await test.start(tripOf(TRIP));
    await car.move(Date.now());
    expect(await watch.next()).toMatchObject({ case: "snapshot", value: { version: { sequence: 2n } } });
    expect(await watch.until("unavailable")).toMatchObject({
      value: { tripId: lost, code: "STORE_UNAVAILABLE", retryable: true },
    });
    expect(await poll(TRIP)).toBe("no failure");
  });

  it("ends a trip's live access 30 min after its end, and says so to who comes later", async () => {
    const clock = new VirtualClock(START_MS);
    const test = await edgeWith([], { clock });
    const car = await test.start(tripOf(TRIP));
    const token = await test.token("rider", "r1", 7_200_000);
    const watch = reader(test, token, [TRIP]);
    await watch.until("snapshot");
    const ended = tripOf(TRIP, 1, "COMPLETE", START_MS);
    await test.start(ended);
    await car.publish(car.maker.next({ trip: ended }));
    expect(await watch.until("update")).toMatchObject({ value: { trip: { status: TripStatus.COMPLETE } } });
    const unavailable = watch.until("unavailable");
    clock.advanceTo(START_MS + 30 * 60_000);
    expect(await unavailable).toMatchObject({ value: { code: "LIVE_ENDED", retryable: false } });
    const later = reader(test, token, [TRIP]);
    expect(await later.until("unavailable")).toMatchObject({ value: { code: "LIVE_ENDED" } });
    const stranger = reader(test, await test.token("rider", "r2"), [TRIP]);
    expect(await stranger.until("unavailable")).toMatchObject({ value: { code: "NOT_FOUND" } });
    expect(await failureOf(clientOf(test, token).getLiveTrip({ tripId: TRIP }))).toBe("NotFound LIVE_ENDED");
  });

  it("refuses none, too many, and watches beyond the bound of a user", async () => {
    const test = await edgeWith([], { limits: { maxWatchesPerUser: 2 } });
    await test.start(tripOf(TRIP));
    const token = await test.token("rider", "r1");
    expect(await failureOf(reader(test, token, []).next())).toBe("InvalidArgument FIELD_INVALID");
    const many = Array.from({ length: 21 }, (_, i) => someTripId(i));
    expect(await failureOf(reader(test, token, many).next())).toBe("InvalidArgument WATCH_TOO_MANY_TRIPS");
    const [one, two] = [reader(test, token, [TRIP]), reader(test, token, [TRIP])];
    await one.next();
    await two.next();
    expect(await failureOf(reader(test, token, [TRIP]).next())).toBe("ResourceExhausted WATCH_TOO_MANY");
    one.stop();
    await expect.poll(async () => failureOf(reader(test, token, [TRIP]).next())).toBe("no failure");
  });

  it("names what is away in the closed vocabulary, and goes on with the other trips", async () => {
    const test = await edgeWith();
    await test.start(tripOf(TRIP));
    const away = someTripId(77);
    const { latest } = test;
    const read = latest.trip.bind(latest);
    latest.trip = async (tripId) => {
      if (tripId === away) throw new BimrideError("STORE_UNAVAILABLE");
      return read(tripId);
    };
    const watch = reader(test, await test.token("rider", "r1"), [away, TRIP]);
    expect(await watch.until("unavailable")).toMatchObject({
      value: { tripId: away, code: "STORE_UNAVAILABLE", retryable: true },
    });
    expect(await watch.until("snapshot")).toBeDefined();
  });

  it("ends its streams with DRAINING when the server goes away, and closes within the grace", async () => {
    const test = await edgeWith();
    await test.start(tripOf(TRIP));
    const watch = reader(test, await test.token("rider", "r1"), [TRIP]);
    await watch.until("snapshot");
    const end = failureOf(watch.next());
    const startedAtMs = performance.now();
    await test.edge[Symbol.asyncDispose]();
    expect(await end).toBe("Unavailable DRAINING");
    expect(performance.now() - startedAtMs).toBeLessThan(3_000);
  });

  it("is reached by gRPC-Web clients too", async () => {
    const test = await edgeWith();
    await test.start(tripOf(TRIP));
    const transport = createGrpcWebTransport({ baseUrl: test.url, httpVersion: "1.1" });
    const headers = { authorization: `Bearer ${await test.token("driver", "d1")}` };
    const client = createClient(LiveService, transport);
    expect((await client.getLiveTrip({ tripId: TRIP }, { headers })).live?.trip?.tripId).toBe(TRIP);
    expect(await failureOf(client.getLiveTrip({ tripId: TRIP }))).toBe("Unauthenticated TOKEN_MISSING");
  });
});

describe("a position update", () => {
  it("takes at most 120 bytes of protobuf, with the longest region, the largest numbers and a snapped position", () => {
    const size = toBinary(WatchTripsResponseSchema, {
      $typeName: "bimride.tracking.v1.WatchTripsResponse",
      message: {
        case: "update",
        value: {
          $typeName: "bimride.tracking.v1.TripUpdate",
          tripId: `${"r".repeat(16)}-${"z".repeat(26)}`,
          version: {
            $typeName: "bimride.tracking.v1.Version",
            generation: 127,
            sequence: 2n ** 41n,
            index: 16_000,
          },
          position: {
            $typeName: "bimride.tracking.v1.VehiclePosition",
            latitudeE7: -900_000_000,
            longitudeE7: -1_800_000_000,
            headingDeg: 359,
            speedCmps: 15_000,
            accuracyDm: 16_000,
            capturedAtMs: 4_102_444_800_000n,
            receivedAfterMs: 172_800_000,
            snappedLatitudeE7: -900_000_000,
            snappedLongitudeE7: -1_800_000_000,
          },
          latePoints: [],
        },
      },
    }).length;
    expect(size).toBeLessThanOrEqual(120);
  });
});
