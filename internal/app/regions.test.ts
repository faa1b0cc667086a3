import { writeFile } from "node:fs/promises";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { DriverLink } from "../../bench/load/driver-link.ts";
import { HistoryService } from "../../gen/bimride/tracking/v1/history_pb.ts";
import { VerdictCode } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import { LiveService } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { TripService, TripStatus, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { loadSettings } from "../config/settings.ts";
import type { Fix } from "../core/fix.ts";
import { destination, fromE7 } from "../core/geo.ts";
import { partitionOf, regionOfTrip } from "../core/ids.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { encodeEntry } from "../eventlog/codec.ts";
import { createTelemetry } from "../telemetry/create-telemetry.ts";
import { type App, startApp } from "./app.ts";

const BORDER_LAT_DEG = 57.7;
const PATIENCE = { timeout: 30_000, interval: 20 };
/** From one fix to the next: a few kilometres are no jump. */
const STEP_MS = 120_000;
const START_MS = 60_000;

let stack: AsyncDisposableStack;
let app: App;
const clock = new VirtualClock(Date.now());

/** Two regions with a border from west to east; the process's own is south. */
function regionFile(): string {
  const feature = (name: string, south: number, north: number) => ({
    type: "Feature",
    properties: { name, default: name === "south" },
    geometry: {
      type: "Polygon",
      coordinates: [
        [
          [11, south],
          [13, south],
          [13, north],
          [11, north],
          [11, south],
        ],
      ],
    },
  });
  const features = [feature("south", 57, BORDER_LAT_DEG), feature("north", BORDER_LAT_DEG, 58.5)];
  return JSON.stringify({ type: "FeatureCollection", features });
}

/** A place so many metres north of the border. */
const northOf = (metres: number) => destination(BORDER_LAT_DEG, 12, 0, metres);

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const file = folder.file("regions.geojson");
  await writeFile(file, regionFile());
  const settings = loadSettings({ BIMRIDE_REGIONS_FILE: file }, [
    ...[
      "--data",
      folder.file("data"),
      "--http-port",
      "0",
      "--grpc-port",
      "0",
      "--mqtt-port",
      "0",
      "--no-demo",
    ],
  ]);
  const telemetry = createTelemetry({ role: "regions", level: "silent", processMetrics: false });
  app = stack.use(await startApp(settings, { clock, telemetry, ownKeys: true }));
  await app.ready();
}, START_MS);
afterAll(() => stack.disposeAsync());

function clients() {
  const transport = createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" });
  return {
    trips: createClient(TripService, transport),
    live: createClient(LiveService, transport),
    history: createClient(HistoryService, transport),
  };
}

async function as(role: "rider" | "driver" | "backend" | "support", subject: string) {
  return { headers: { authorization: `Bearer ${await app.mint(role, subject)}` } };
}

/** A driver's car: sends where it is and waits for the verdict. */
async function car(driverId: string, metres: number) {
  const assigned: string[] = [];
  const link = new DriverLink({
    address: app.grpcAddress,
    token: await app.mint("driver", driverId),
    sessionId: `session-${driverId}`,
    now: () => clock.now(),
    onAssignment: ({ trip }) => assigned.push(trip?.tripId ?? ""),
  });
  await link.hello(northOf(metres));
  let seq = 0;
  const fixes: Fix[] = [];
  const send = async (fix: Fix) => nameOf((await link.send([fix])).verdicts[0]!.code);
  const drive = (to: number) => {
    clock.advanceTo(clock.now() + STEP_MS);
    const fix: Fix = {
      ...{ seq: seq++, capturedAtMs: clock.now(), ...northOf(to), accuracyM: 5, speedMps: 10, headingDeg: 0 },
      ...{ altitudeM: Number.NaN, source: "gnss", mock: false },
    };
    fixes.push(fix);
    return send(fix);
  };
  return { link, drive, send, fixes, assigned };
}

function nameOf(code: VerdictCode): string {
  return Object.entries(VerdictCode).find(([, value]) => value === code)?.[0] ?? "";
}

async function bookTrip(key: string, pickupM: number, driverId: string): Promise<string> {
  const place = (metres: number) => {
    const { latDeg, lonDeg } = northOf(metres);
    return { latitudeDeg: latDeg, longitudeDeg: lonDeg };
  };
  const order = {
    ...{ idempotencyKey: key, riderIds: [`${key}-rider`], driverId },
    waypoints: [
      { kind: WaypointKind.PICKUP, position: place(pickupM) },
      { kind: WaypointKind.DROPOFF, position: place(-20_000) },
    ],
  };
  const { trip } = await clients().trips.createTrip(order, await as("backend", "b"));
  return trip!.tripId;
}

/** What the rider sees of the trip now: seq is not shown, so the latitude tells the fixes apart. */
async function liveLatitude(tripId: string, rider: string): Promise<number | undefined> {
  const { live } = await clients().live.getLiveTrip({ tripId }, await as("rider", rider));
  return live?.position && fromE7(live.position.latitudeE7);
}

async function trackSeqs(tripId: string): Promise<number[]> {
  const { points } = await clients().history.getTrack({ tripId }, await as("support", "desk"));
  clock.advanceTo(clock.now() + 600); // the history stores now and then
  return points.map(({ seq }) => seq);
}

test("a car without a trip is moved at the border, and what it sends again over there is not stored again", async () => {
  const { link, drive, send, fixes } = await car("roamer", -300);
  expect(link.region).toBe("south");
  for (const metres of [-300, 700, 1_700]) expect(await drive(metres)).toBe("ACCEPTED");
  expect(link.region).toBe("south");
  expect(await drive(2_300)).toBe("ACCEPTED");
  expect(link.region).toBe("north");
  expect(await drive(1_000)).toBe("ACCEPTED");
  expect(link.region).toBe("north");
  expect(await send(fixes[1]!)).toBe("DUPLICATE");
  await vi.waitFor(
    async () => expect(await app.engines.latest.party("driver/roamer")).toMatchObject({ seq: 4 }),
    PATIENCE,
  );
  link.close();
});

test("a trip is of its pickup's region, its driver comes there from another, and everybody finds it by its id", async () => {
  const { link, drive, assigned, fixes } = await car("crosser", -9_000);
  await drive(-9_000);
  const tripId = await bookTrip("cross", 3_000, "crosser");
  expect(regionOfTrip(tripId)).toBe("north");
  await vi.waitFor(() => expect(assigned).toContain(tripId), PATIENCE);
  expect(link.region).toBe("north");
  // The way to the pickup leads through the other region, and so does the way after it.
  for (const metres of [-8_000, -4_000, 0, 3_000, -3_000, -12_000])
    expect(await drive(metres)).toBe("ACCEPTED");
  expect(link.region).toBe("north");
  await vi.waitFor(
    async () => expect(await liveLatitude(tripId, "cross-rider")).toBeCloseTo(northOf(-12_000).latDeg, 3),
    PATIENCE,
  );
  // The first one was captured when the trip began, and is the other region's.
  const expected = fixes.map(({ seq }) => seq);
  await vi.waitFor(async () => expect(await trackSeqs(tripId)).toEqual(expected), PATIENCE);

  // Another gateway, that knew nothing of it, took one of them in the other region too: its ack was lost on the way.
  await appendToSouth("crosser", fixes.at(-1)!);
  await drive(-12_500);
  await vi.waitFor(async () => expect(await trackSeqs(tripId)).toEqual([...expected, 7]), PATIENCE);

  const canceled = { tripId, status: TripStatus.CANCELED };
  await clients().trips.cancelTrip(canceled, await as("backend", "b"));
  await vi.waitFor(() => expect(assigned.at(-1)).toBe(""), PATIENCE);
  await drive(-12_600);
  expect(link.region).toBe("south");
  link.close();
});

test("trips of both regions are listed, read and changed over one address", async () => {
  const [south, north] = [await bookTrip("s", -100, ""), await bookTrip("n", 100, "")];
  expect([south, north].map(regionOfTrip)).toEqual(["south", "north"]);
  const { trips } = clients();
  const backend = await as("backend", "b");
  const listed = (await trips.listTrips({ runningOnly: true }, backend)).trips.map((trip) => trip.tripId);
  expect(listed).toEqual(expect.arrayContaining([south, north]));
  for (const tripId of [south, north]) {
    expect((await trips.getTrip({ tripId }, backend)).trip?.tripId).toBe(tripId);
    expect((await trips.cancelTrip({ tripId }, backend)).trip?.status).toBe(TripStatus.CANCELED);
  }
  const nowhere = trips.getTrip({ tripId: north.replace("north", "atlantis") }, backend);
  await expect(nowhere).rejects.toThrow(/NOT_FOUND|no such thing/i);
});

async function appendToSouth(driverId: string, fix: Fix): Promise<void> {
  const { log } = app.engines;
  expect(log.region).toBe("south");
  const party = { kind: "driver", id: driverId } as const;
  const receivedAtMs = Math.round(clock.now());
  const record = {
    ...({ kind: "fixBatch", party, sessionId: `session-${driverId}`, sessionEpoch: receivedAtMs } as const),
    ...{ receivedAtMs, clockOffsetMs: 0, fixes: [fix] },
  };
  const body = encodeEntry({ region: "south", traceparent: "", records: [record] });
  await log.append(partitionOf(party, log.partitions), body);
}
