import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  type DeviceStateSchema,
  LocationPermission,
  NetworkKind,
} from "../../gen/bimride/tracking/v1/fix_pb.ts";
import { PublishRequestSchema } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import { Freshness, FreshnessReason, LiveService } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { TripService, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import type { Role } from "../auth/principal.ts";
import { loadSettings } from "../config/settings.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import {
  grpcBatchTransport,
  grpcTransport,
  httpJsonTransport,
  httpProtobufTransport,
  type IngestClient,
  type IngestTransport,
  webSocketJsonTransport,
  webSocketProtobufTransport,
} from "../ingest/transports/clients.ts";
import { fixesMessage, goodFix, nth } from "../ingest/transports/conformance-rig.ts";
import type { TestGateway } from "../ingest/transports/kit.ts";
import { createTelemetry } from "../telemetry/create-telemetry.ts";
import { type App, startApp } from "./app.ts";

const PATIENCE = { timeout: 20_000, interval: 20 };
const START_MS = 60_000;
const STALE_MS = 40_000;

type State = Exclude<MessageInitShape<typeof DeviceStateSchema>, { $typeName: unknown }>;

let stack: AsyncDisposableStack;
let app: App;
const clock = new VirtualClock(Date.now());

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const settings = loadSettings({}, [
    ...["--data", folder.path, "--http-port", "0", "--grpc-port", "0", "--no-demo"],
  ]);
  const telemetry = createTelemetry({ role: "device-state", level: "silent", processMetrics: false });
  app = stack.use(await startApp(settings, { clock, telemetry, ownKeys: true }));
  await app.ready();
}, START_MS);
afterAll(() => stack.disposeAsync());

const as = async (role: Role, subject: string) => ({
  headers: { authorization: `Bearer ${await app.mint(role, subject)}` },
});

/** A driver on a trip, over one transport, and what the trip's rider reads. */
async function ride(transport: IngestTransport) {
  const driverId = `driver-${transport.name.replaceAll(" ", "-")}`;
  const riderId = `rider-of-${driverId}`;
  const web = createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" });
  const place = { latitudeDeg: 57.7, longitudeDeg: 11.97 };
  const order = {
    ...{ idempotencyKey: driverId, riderIds: [riderId], driverId },
    waypoints: [
      { kind: WaypointKind.PICKUP, position: { ...place, latitudeDeg: 57.8 } },
      { kind: WaypointKind.DROPOFF, position: { ...place, latitudeDeg: 57.9 } },
    ],
  };
  const { trip } = await createClient(TripService, web).createTrip(order, await as("backend", "b"));
  const { tripId } = trip!;
  const live = createClient(LiveService, web);
  const reads = (freshness: Freshness, reason: FreshnessReason) =>
    vi.waitFor(async () => {
      const answer = await live.getLiveTrip({ tripId }, await as("rider", riderId));
      expect(answer.live?.freshness).toMatchObject({ freshness, reason });
    }, PATIENCE);

  const token = await app.mint("driver", driverId);
  const port = Number(app.grpcAddress.split(":").at(-1));
  const gateway = { grpcPort: port, httpAddress: new URL(app.httpUrl).host } as TestGateway;
  const connect = async (): Promise<IngestClient> => transport.connect(gateway, token);
  let client = await connect();
  let seq = 0;
  let answers = 0;
  const hello = (deviceState?: State) =>
    client.send(
      create(PublishRequestSchema, {
        message: {
          case: "hello",
          value: { sessionId: "session-1", deviceTimeMs: BigInt(clock.now()), deviceState },
        },
      }),
    );
  const drive = async (mock = false) => {
    clock.advanceTo(clock.now() + 4_000);
    client.send(fixesMessage([{ ...goodFix(seq++, clock.now()), mock }], 1, clock.now()));
    await nth(client, "ack", ++answers);
  };
  return {
    ...{ reads, hello, drive },
    /** Says what the device is like now: on a stream by itself, else with the next call. */
    say(deviceState: State) {
      if (!transport.streams) return hello(deviceState);
      client.send(create(PublishRequestSchema, { message: { case: "deviceState", value: deviceState } }));
    },
    async again() {
      client = await connect();
      answers = 0;
      hello();
    },
    client: () => client,
  };
}

/** What a device says of itself, and what a rider reads of its silence. */
const SILENCES: [State, FreshnessReason][] = [
  [{ gpsEnabled: false }, FreshnessReason.LOCATION_OFF],
  [{ locationPermission: LocationPermission.DENIED }, FreshnessReason.NO_PERMISSION],
  [{ airplaneMode: true }, FreshnessReason.AIRPLANE_MODE],
  [{ batteryPercent: 2, charging: false }, FreshnessReason.BATTERY_EMPTY],
  [{ network: NetworkKind.NONE }, FreshnessReason.NO_SIGNAL],
  [{ locationPermission: LocationPermission.WHILE_IN_USE, background: true }, FreshnessReason.BACKGROUND],
  [{ background: true, powerSave: true }, FreshnessReason.BACKGROUND],
  [{ network: NetworkKind.CELLULAR }, FreshnessReason.NO_SIGNAL],
];

const TRANSPORTS = [
  ...[grpcTransport, grpcBatchTransport, httpProtobufTransport, httpJsonTransport],
  ...[webSocketProtobufTransport, webSocketJsonTransport],
];

test.each(TRANSPORTS)(
  "a rider reads what the driver's device says of itself over $name",
  async (transport) => {
    const { reads, hello, say, drive, client } = await ride(transport);
    hello({ mockLocation: true });
    await drive();
    await reads(Freshness.LIVE, FreshnessReason.MOCK_LOCATION);
    for (const [state, reason] of SILENCES) {
      say(state);
      await drive();
      await reads(Freshness.LIVE, FreshnessReason.UNSPECIFIED);
      clock.advanceTo(clock.now() + STALE_MS);
      await reads(Freshness.STALE, reason);
    }
    say({ locationPermission: LocationPermission.APPROXIMATE });
    await drive();
    await reads(Freshness.LIVE, FreshnessReason.APPROXIMATE_LOCATION);
    await drive(true);
    await reads(Freshness.LIVE, FreshnessReason.MOCK_LOCATION);
    await drive();
    await reads(Freshness.LIVE, FreshnessReason.APPROXIMATE_LOCATION);
    client().close();
  },
);

test.each(TRANSPORTS.filter(({ streams }) => streams))(
  "a rider reads that the app was closed, or that there is no signal when the connection broke, over $name",
  async (transport) => {
    const { reads, hello, drive, client, again } = await ride({
      ...transport,
      name: `${transport.name} end`,
    });
    hello({ network: NetworkKind.CELLULAR });
    await drive();
    client().finish();
    await vi.waitFor(() => expect(client().ended).toBe(""), PATIENCE);
    clock.advanceTo(clock.now() + STALE_MS);
    await reads(Freshness.STALE, FreshnessReason.DISCONNECTED);
    await again();
    await drive();
    await reads(Freshness.LIVE, FreshnessReason.UNSPECIFIED);
    client().close();
    await vi.waitFor(() => expect(client().ended).toBeDefined(), PATIENCE);
    clock.advanceTo(clock.now() + STALE_MS);
    await reads(Freshness.STALE, FreshnessReason.NO_SIGNAL);
  },
);
