import { randomUUID } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { ServiceProcess } from "../../bench/load/service-process.ts";
import { TripService, TripStatus, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";

/** Torpagatan in the demo city, eastwards: straight for 800 m, then on through the fields. */
const START = { latitudeDeg: 57.717985, longitudeDeg: 12.02783 };
const END = { latitudeDeg: 57.7175, longitudeDeg: 12.0414175 };
const SECONDS = 80;
const DROPOFF = { latitudeDeg: 57.7195, longitudeDeg: 12.0252 };
const SEND_EVERY_MS = 1_000;

/** A car of the test's own, driving steadily eastwards on a trip of its own until told otherwise. */
export type TestCar = AsyncDisposable & {
  tripId: string;
  driverId: string;
  /** The phone falls silent; the car is where it was. */
  fallSilent(): void;
  drive(): void;
  setStatus(status: TripStatus): Promise<void>;
  cancel(reason: string): Promise<void>;
};

/** Creates a trip with the real service and drives it by POST /v1/fixes, a fix a second. */
export async function startTestCar(
  app: ServiceProcess,
  options: { withDriver?: boolean } = {},
): Promise<TestCar> {
  const driverId = `test-${randomUUID().slice(0, 8)}`;
  const driver = await app.mint("driver", driverId);
  const backend = await app.mint("backend", "test");
  const trips = createClient(
    TripService,
    createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" }),
  );
  const headers = { authorization: `Bearer ${backend}` };
  const { trip } = await trips.createTrip(
    {
      idempotencyKey: driverId,
      riderIds: [`rider-of-${driverId}`],
      driverId: options.withDriver === false ? "" : driverId,
      waypoints: [
        { kind: WaypointKind.PICKUP, position: END, label: "Torpagatan 40" },
        { kind: WaypointKind.DROPOFF, position: DROPOFF, label: "Munkebäckstorget" },
      ],
      plannedPath: [START, END, DROPOFF],
    },
    { headers },
  );
  const tripId = trip!.tripId;
  const setStatus = async (status: TripStatus) => {
    await trips.setTripStatus({ tripId, status }, { headers });
  };
  const stopSending = sendFixes(app, driverId, driver);
  if (options.withDriver !== false) await setStatus(TripStatus.ENROUTE_TO_PICKUP);
  return {
    tripId,
    driverId,
    fallSilent: () => stopSending.pause(true),
    drive: () => stopSending.pause(false),
    setStatus,
    async cancel(reason) {
      await trips.cancelTrip({ tripId, reason }, { headers });
    },
    async [Symbol.asyncDispose]() {
      await stopSending.end();
    },
  };
}

function sendFixes(app: ServiceProcess, driverId: string, token: string) {
  const hello = { sessionId: randomUUID(), party: { kind: "PARTY_KIND_DRIVER", id: driverId } };
  let seq = 0;
  let paused = false;
  let sending: Promise<void> = Promise.resolve();
  const send = async () => {
    const now = Date.now();
    const share = seq / SECONDS;
    const position = {
      latitudeDeg: START.latitudeDeg + share * (END.latitudeDeg - START.latitudeDeg),
      longitudeDeg: START.longitudeDeg + share * (END.longitudeDeg - START.longitudeDeg),
    };
    const fix = {
      seq: seq++,
      capturedAtMs: String(now),
      position,
      accuracyM: 4,
      speedMps: 10,
      headingDeg: 94,
    };
    const fixes = { fixes: [fix], deviceTimeMs: String(now) };
    try {
      const response = await fetch(`${app.httpUrl}/v1/fixes`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ hello: { ...hello, deviceTimeMs: String(now) }, fixes }),
      });
      await response.arrayBuffer();
    } catch {
      // The server is away, as the test wants it: a phone would try again, this one lives with the gap.
    }
  };
  const timer = setInterval(() => {
    if (!paused) sending = send();
  }, SEND_EVERY_MS);
  return {
    pause(on: boolean): void {
      paused = on;
    },
    async end(): Promise<void> {
      clearInterval(timer);
      await sending;
    },
  };
}
