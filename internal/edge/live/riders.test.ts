import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import { LiveService, type WatchTripsResponse } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Role } from "../../auth/principal.ts";
import { toE7 } from "../../core/geo.ts";
import type { RiderPlace } from "../../core/live.ts";
import type { Trip } from "../../core/trip.ts";
import { positionAt, tripOf } from "../../live/kit.ts";
import { type LiveTripSource, someTripId, startTestEdge, type TestEdge } from "../kit.ts";

const TRIP = someTripId(1);
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]();
});

type Message = WatchTripsResponse["message"];

const waiting = (fields: Partial<Trip> = {}): Trip => ({
  ...tripOf(TRIP),
  ...{ type: "shared", riderIds: ["r1", "r2"], sharingRiderIds: ["r1"], ...fields },
});

/** An edge with a trip whose driver is d1, and those who watch it. */
async function scene(trip = waiting()) {
  const test = await startTestEdge(new Map());
  open.push(test);
  const car = await test.start(trip);
  let sequence = 0;
  const at = (capturedAtMs: number) => ({ ...positionAt(capturedAtMs), latDeg: 57.7, lonDeg: 11.97 });
  const place = (riderId: string, fields: Partial<RiderPlace> = {}): RiderPlace => ({
    ...{ tripId: TRIP, riderId, sequence: ++sequence, index: 0, position: at(Date.now()), ...fields },
  });
  return {
    test,
    car,
    place,
    at,
    watch: (role: Role, id: string, after?: number) => watch(test, role, id, after),
  };
}

/** A watch of the trip that keeps what it gets. */
async function watch(test: TestEdge, role: Role, subject: string, resumeSequence?: number) {
  const token = await test.token(role, subject);
  const abort = new AbortController();
  const after = { generation: 1, sequence: BigInt(resumeSequence ?? 0), index: 0 };
  const targets = [{ tripId: TRIP, ...(resumeSequence !== undefined && { resumeAfter: after }) }];
  const stream = live(test).watchTrips(
    { targets },
    { signal: abort.signal, headers: { authorization: `Bearer ${token}` } },
  );
  const messages: Message[] = [];
  const reading = (async () => {
    for await (const { message } of stream) messages.push(message);
  })().catch(() => {});
  open.push({
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await reading;
    },
  });
  await expect.poll(() => messages.length, { timeout: 10_000 }).toBeGreaterThan(1);
  /** What was told of riders on messages of their own. */
  const told = () =>
    messages.flatMap((message) =>
      message.case === "rider"
        ? [[message.value.riderId, message.value.position !== undefined] as const]
        : [],
    );
  const snapshots = () => messages.flatMap((each) => (each.case === "snapshot" ? [each.value] : []));
  return { messages, told, snapshots };
}

function live(test: TestEdge) {
  return createClient(LiveService, createConnectTransport({ baseUrl: test.url, httpVersion: "1.1" }));
}

/** The trip goes on, as its own partition tells it. */
const go = (car: LiveTripSource, fields: Partial<Trip>) => {
  const trip: Trip = { ...car.live.trip, version: car.live.trip.version + 1, ...fields };
  return car.publish(car.maker.next({ trip }));
};

async function store(test: TestEdge, riderId: string, capturedAtMs: number): Promise<void> {
  const where = { latDeg: 57.7, lonDeg: 11.97, headingDeg: Number.NaN, speedMps: Number.NaN };
  const stamps = { capturedAtMs, receivedAtMs: capturedAtMs + 20, sessionEpoch: 1, seq: capturedAtMs % 1e9 };
  const party = { partyKey: `rider/${riderId}`, tripId: "", ...where, ...stamps };
  await test.latest.update({ partition: 1, partitionEpoch: 1, parties: [party], trips: [], removed: [] });
}

describe("a waiting rider who shares their place", () => {
  it("is shown to the trip's driver as they move, and is gone for them once the car leaves the pickup", async () => {
    const { test, car, place, at, watch } = await scene();
    const driver = await watch("driver", "d1");
    const first = place("r1", { position: at(Date.now() - 1_000) });
    test.bus.publishRider(first);
    await expect.poll(driver.told).toEqual([["r1", true]]);
    const [message] = driver.messages.filter((each) => each.case === "rider");
    expect(message?.value).toMatchObject({
      ...{ tripId: TRIP, riderId: "r1" },
      position: { latitudeE7: toE7(57.7), capturedAtMs: BigInt(first.position!.capturedAtMs) },
    });
    await go(car, { status: "ARRIVED_AT_PICKUP" });
    test.bus.publishRider(place("r1"));
    await expect.poll(driver.told).toEqual([
      ["r1", true],
      ["r1", true],
    ]);
    await go(car, { status: "ENROUTE_TO_DROPOFF", waypointIndex: 1 });
    await expect.poll(driver.told).toEqual([
      ["r1", true],
      ["r1", true],
      ["r1", false],
    ]);
    // What the rider's partition, which does not know it yet, still sends is not shown.
    test.bus.publishRider(place("r1"));
    await car.move(Date.now());
    await expect.poll(() => driver.messages.at(-1)?.case).toBe("update");
    expect(driver.told()).toHaveLength(3);
    expect((await watch("driver", "d1")).snapshots()[0]?.riders).toEqual([]);
  });

  it("is shown to nobody but the driver, whatever they may see of the trip", async () => {
    const { test, car, place, watch } = await scene();
    await store(test, "r1", Date.now());
    const others = [
      await watch("rider", "r1"),
      await watch("rider", "r2"),
      await watch("support", "s"),
      await watch("ops", "o"),
    ];
    const driver = await watch("driver", "d1");
    test.bus.publishRider(place("r1"));
    await expect.poll(driver.told).toEqual([["r1", true]]);
    await car.move(Date.now());
    for (const other of others) {
      await expect.poll(() => other.messages.at(-1)?.case).toBe("update");
      expect(other.told()).toEqual([]);
      expect(other.snapshots()[0]?.riders).toEqual([]);
    }
    for (const [role, subject] of [
      ["rider", "r1"],
      ["rider", "r2"],
      ["support", "s"],
      ["ops", "o"],
    ] as const) {
      const headers = { authorization: `Bearer ${await test.token(role, subject)}` };
      expect((await live(test).getLiveTrip({ tripId: TRIP }, { headers })).live?.riders).toEqual([]);
    }
  });

  it("is not shown without their word, and no longer once they take it back", async () => {
    const { test, car, place, watch } = await scene();
    const driver = await watch("driver", "d1");
    test.bus.publishRider(place("r2"));
    test.bus.publishRider(place("r1"));
    await expect.poll(driver.told).toEqual([["r1", true]]);
    await go(car, { sharingRiderIds: ["r1", "r2"] });
    await expect.poll(driver.told).toEqual([
      ["r1", true],
      ["r2", true],
    ]);
    await go(car, { sharingRiderIds: ["r2"] });
    await expect.poll(driver.told).toEqual([
      ["r1", true],
      ["r2", true],
      ["r1", false],
    ]);
    test.bus.publishRider(place("r2", { position: undefined }));
    await expect.poll(driver.told).toHaveLength(4);
    expect(driver.told()[3]).toEqual(["r2", false]);
  });

  it("is told by log order: what comes late or twice changes nothing, and the newest of a busy moment wins", async () => {
    const { test, car, place, at, watch } = await scene();
    const driver = await watch("driver", "d1");
    const [old, gone] = [place("r1"), place("r1", { position: undefined })];
    test.bus.publishRider(gone);
    test.bus.publishRider(old);
    await car.move(Date.now());
    await expect.poll(() => driver.messages.at(-1)?.case).toBe("update");
    expect(driver.told()).toEqual([]);
    const newest = place("r1", { position: at(Date.now() + 5) });
    for (const each of [place("r1", { sequence: 2, index: 1 }), newest, newest]) test.bus.publishRider(each);
    await expect.poll(driver.told).not.toEqual([]);
    const last = driver.messages.filter((each) => each.case === "rider").at(-1);
    expect(last?.value.position?.capturedAtMs).toBe(BigInt(newest.position!.capturedAtMs));
  });

  it("stands in the driver's snapshot, and comes after the first message of a trip that is resumed", async () => {
    const { test, car, watch } = await scene();
    await store(test, "r1", Date.now());
    await store(test, "r2", Date.now());
    const anew = await watch("driver", "d1");
    expect(anew.snapshots()[0]?.riders.map(({ riderId }) => riderId)).toEqual(["r1"]);
    expect(anew.told()).toEqual([]);
    const unchanged = await watch("driver", "d1", car.live.version.sequence);
    await expect
      .poll(() => unchanged.messages.map((each) => each.case))
      .toEqual(["started", "unchanged", "rider"]);
    expect(unchanged.told()).toEqual([["r1", true]]);
    await car.move(Date.now());
    const behind = await watch("driver", "d1", car.live.version.sequence - 1);
    await expect.poll(behind.told).toEqual([["r1", true]]);
    expect(behind.messages.map((each) => each.case)).toEqual(["started", "update", "rider"]);
  });

  it("is read by the driver who polls, with an ETag of its own", async () => {
    const { test } = await scene();
    const authorization = `Bearer ${await test.token("driver", "d1")}`;
    const poll = async (etag = "") => {
      const headers = { authorization, "if-none-match": etag };
      const answer = await fetch(`${test.url}/v1/trips/${TRIP}/live`, { headers });
      const body =
        answer.status === 200 ? ((await answer.json()) as { live: { riders?: unknown[] } }) : undefined;
      return { status: answer.status, etag: answer.headers.get("etag") ?? "", riders: body?.live.riders };
    };
    const without = await poll();
    expect(without.riders).toBeUndefined();
    await store(test, "r1", Date.now() - 1_000);
    const first = await poll(without.etag);
    expect(first).toMatchObject({ status: 200, riders: [{ riderId: "r1", tripId: TRIP }] });
    expect((await poll(first.etag)).status).toBe(304);
    await store(test, "r1", Date.now());
    expect((await poll(first.etag)).status).toBe(200);
  });

  it("is not shown by a place from before the trip, nor by one that nobody relies on any more", async () => {
    const { test, watch } = await scene(
      waiting({ sharingRiderIds: ["r1", "r2"], createdAtMs: Date.now() - 60_000 }),
    );
    await store(test, "r1", Date.now() - 90_000);
    await store(test, "r2", Date.now() - 10_000);
    expect((await watch("driver", "d1")).snapshots()[0]?.riders.map(({ riderId }) => riderId)).toEqual([
      "r2",
    ]);
    const other = await scene();
    await store(other.test, "r1", Date.now() - 121_000);
    expect((await other.watch("driver", "d1")).snapshots()[0]?.riders).toEqual([]);
  });
});
