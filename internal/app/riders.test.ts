import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { HistoryService, TrackView } from "../../gen/bimride/tracking/v1/history_pb.ts";
import { LiveService, type WatchTripsResponse } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { TripService, TripStatus, TripType, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { loadSettings } from "../config/settings.ts";
import { createTelemetry } from "../telemetry/create-telemetry.ts";
import { type App, startApp } from "./app.ts";

/** Riders who share their place, through the whole river on embedded engines. */
const PATIENCE = { timeout: 30_000, interval: 20 };
const START_MS = 60_000;
/** In place of a time. */
const GONE = 0;
const HERE = { latitudeDeg: 57.7, longitudeDeg: 11.97 };

let stack: AsyncDisposableStack;
let app: App;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const settings = loadSettings({}, [
    ...["--data", folder.file("data"), "--http-port", "0", "--grpc-port", "0", "--no-demo"],
  ]);
  const telemetry = createTelemetry({ role: "riders", level: "silent", processMetrics: false });
  app = stack.use(await startApp(settings, { telemetry, ownKeys: true }));
  await app.ready();
}, START_MS);
afterAll(() => stack.disposeAsync());

type Role = "rider" | "driver" | "backend" | "support";

function clients() {
  const transport = createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" });
  return {
    trips: createClient(TripService, transport),
    live: createClient(LiveService, transport),
    history: createClient(HistoryService, transport),
  };
}

async function as(role: Role, subject: string) {
  return { headers: { authorization: `Bearer ${await app.mint(role, subject)}` } };
}

/** A shared trip with a pickup for each rider, its driver on the way. */
async function book(key: string, riderIds: string[]): Promise<string> {
  const { trips } = clients();
  const waypoints = [
    ...riderIds.map((riderId) => ({ kind: WaypointKind.PICKUP, position: HERE, riderId })),
    { kind: WaypointKind.DROPOFF, position: { latitudeDeg: 57.8, longitudeDeg: 11.97 } },
  ];
  const order = {
    idempotencyKey: key,
    type: TripType.SHARED,
    riderIds,
    driverId: `${key}-driver`,
    waypoints,
  };
  const { trip } = await trips.createTrip(order, await as("backend", "b"));
  await say(trip!.tripId, TripStatus.ENROUTE_TO_PICKUP);
  return trip!.tripId;
}

async function say(tripId: string, status: TripStatus): Promise<void> {
  await clients().trips.setTripStatus({ tripId, status }, await as("backend", "b"));
}

/** A rider's phone without a stream. */
function phone(riderId: string) {
  let seq = 0;
  let atMs = 0;
  return {
    async post(path: string, body: object): Promise<Response> {
      const { headers } = await as("rider", riderId);
      const json = { ...headers, "content-type": "application/json" };
      return fetch(`${app.httpUrl}${path}`, { method: "POST", headers: json, body: JSON.stringify(body) });
    },
    /** Sends where it is now; resolves with the time of the fix. */
    async fix(): Promise<number> {
      atMs = Math.max(atMs + 1, Date.now());
      const fix = { seq: seq++, capturedAtMs: String(atMs), position: HERE, accuracyM: 5 };
      const body = { hello: { sessionId: `session-${riderId}` }, fixes: { fixes: [fix] } };
      const answer = await this.post("/v1/fixes", body);
      expect(await answer.json()).toMatchObject({ ack: { verdicts: [{ code: "VERDICT_CODE_ACCEPTED" }] } });
      return atMs;
    },
  };
}

/** Watches the trip and keeps all that it is told. */
async function watch(role: Role, subject: string, tripId: string) {
  const abort = new AbortController();
  const messages: WatchTripsResponse["message"][] = [];
  const { headers } = await as(role, subject);
  const stream = clients().live.watchTrips({ targets: [{ tripId }] }, { headers, signal: abort.signal });
  const reading = (async () => {
    for await (const { message } of stream) messages.push(message);
  })().catch(() => {});
  stack.defer(async () => {
    abort.abort();
    await reading;
  });
  await vi.waitFor(() => expect(messages.map((each) => each.case)).toContain("snapshot"), PATIENCE);
  /** Times of the places of a rider that were told, oldest first; 0 for gone. */
  const seen = (riderId: string): number[] =>
    messages.flatMap((message) =>
      message.case === "rider" && message.value.riderId === riderId
        ? [Number(message.value.position?.capturedAtMs ?? 0)]
        : [],
    );
  return { messages, seen };
}

const soon = (check: () => void | Promise<void>) => vi.waitFor(check, PATIENCE);

test("a rider who agreed is seen by the driver alone, until the car leaves the pickup", async () => {
  const [ann, bob] = [phone("ann"), phone("bob")];
  const tripId = await book("first", ["ann", "bob"]);
  const driver = await watch("driver", "first-driver", tripId);
  const others = [
    await watch("rider", "ann", tripId),
    await watch("rider", "bob", tripId),
    await watch("support", "desk", tripId),
  ];

  await ann.fix();
  const answer = await ann.post(`/v1/trips/${tripId}:shareLocation`, { granted: true });
  expect(await answer.json()).toMatchObject({ trip: { sharingRiderIds: ["ann"], riderIds: ["ann"] } });
  // The rider's partition learns of it by its own log: fixes after that are shown.
  await soon(async () => {
    await Promise.all([ann.fix(), bob.fix()]);
    expect(driver.seen("ann")).not.toEqual([]);
  });
  const { live } = await clients().live.getLiveTrip({ tripId }, await as("driver", "first-driver"));
  expect(live?.riders.map(({ riderId }) => riderId)).toEqual(["ann"]);
  expect(driver.seen("bob")).toEqual([]);

  await say(tripId, TripStatus.ARRIVED_AT_PICKUP);
  const atTheCar = await ann.fix();
  await soon(() => expect(driver.seen("ann").at(-1)).toBe(atTheCar));
  await clients().trips.setLocationSharing({ tripId, granted: true }, await as("rider", "bob"));
  await soon(async () => {
    await bob.fix();
    expect(driver.seen("bob")).not.toEqual([]);
  });

  // The car leaves ann's pickup for bob's.
  await say(tripId, TripStatus.ENROUTE_TO_PICKUP);
  await soon(() => expect(driver.seen("ann").at(-1)).toBe(GONE));
  await ann.fix();
  const stillWaiting = await bob.fix();
  await soon(() => expect(driver.seen("bob").at(-1)).toBe(stillWaiting));
  expect(driver.seen("ann").filter((atMs) => atMs === GONE)).toHaveLength(1);
  expect(driver.seen("ann").at(-1)).toBe(GONE);

  const anew = await watch("driver", "first-driver", tripId);
  const [snapshot] = anew.messages.filter((message) => message.case === "snapshot");
  expect(snapshot?.value.riders.map(({ riderId }) => riderId)).toEqual(["bob"]);
  for (const { messages } of others) {
    expect(messages.filter((message) => message.case === "rider")).toEqual([]);
    for (const message of messages) if (message.case === "snapshot") expect(message.value.riders).toEqual([]);
  }
});

test("a rider who takes it back, or whose trip is called off, is gone at once", async () => {
  const cem = phone("cem");
  const tripId = await book("second", ["cem"]);
  const driver = await watch("driver", "second-driver", tripId);
  const { trips } = clients();
  const share = async (granted: boolean) =>
    trips.setLocationSharing({ tripId, granted }, await as("rider", "cem"));
  await share(true);
  await soon(async () => {
    await cem.fix();
    expect(driver.seen("cem")).not.toEqual([]);
  });
  await share(false);
  await soon(() => expect(driver.seen("cem").at(-1)).toBe(GONE));
  const unshared = await cem.fix();
  await share(true);
  await soon(async () => {
    await cem.fix();
    expect(driver.seen("cem").at(-1)).not.toBe(GONE);
  });
  expect(driver.seen("cem")).not.toContain(unshared);
  await trips.cancelTrip({ tripId }, await as("backend", "b"));
  await soon(() => expect(driver.seen("cem").at(-1)).toBe(GONE));
  await expect(share(false)).rejects.toThrow(/TRIP_ENDED|over/);
});

test("a rider's fixes are no part of the trip's record", async () => {
  const dan = phone("dan");
  const tripId = await book("third", ["dan"]);
  await clients().trips.setLocationSharing({ tripId, granted: true }, await as("rider", "dan"));
  const driver = await watch("driver", "third-driver", tripId);
  await soon(async () => {
    await dan.fix();
    expect(driver.seen("dan")).not.toEqual([]);
  });
  const view = TrackView.RECORDED;
  const track = await clients().history.getTrack({ tripId, view }, await as("driver", "third-driver"));
  expect(track.points).toEqual([]);
});
