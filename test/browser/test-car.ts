import { randomUUID } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { TripService, TripStatus, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import type { RunningApp } from "./running-app.ts";

/** Södra Vägen in the demo city, northwards. */
const START = { latitudeDeg: 57.692, longitudeDeg: 11.9836 };
const NORTH_DEG_PER_S = 0.00009;
const DAY_MS = 24 * 3_600_000;
const SEND_EVERY_MS = 1_000;

/** A car of the test's own, driving steadily northwards on a trip of its own until told otherwise. */
export type TestCar = AsyncDisposable & {
  tripId: string;
  /** The phone falls silent; the car is where it was. */
  fallSilent(): void;
  drive(): void;
  setStatus(status: TripStatus): Promise<void>;
  cancel(reason: string): Promise<void>;
};

/** Creates a trip with the real service and drives it by POST /v1/fixes, a fix a second. */
export async function startTestCar(
  app: RunningApp,
  options: { withDriver?: boolean } = {},
): Promise<TestCar> {
  const driverId = `test-${randomUUID().slice(0, 8)}`;
  const { token: driver } = await app.mint({ role: "driver", subject: driverId, ttlMs: DAY_MS });
  const { token: backend } = await app.mint({ role: "backend", subject: "test", ttlMs: DAY_MS });
  const trips = createClient(TripService, createConnectTransport({ baseUrl: app.url, httpVersion: "1.1" }));
  const headers = { authorization: `Bearer ${backend}` };
  const dropoff = { latitudeDeg: START.latitudeDeg + 0.012, longitudeDeg: START.longitudeDeg };
  const { trip } = await trips.createTrip(
    {
      idempotencyKey: driverId,
      riderIds: [`rider-of-${driverId}`],
      driverId: options.withDriver === false ? "" : driverId,
      waypoints: [
        { kind: WaypointKind.PICKUP, position: START, label: "Södra Vägen 50" },
        { kind: WaypointKind.DROPOFF, position: dropoff, label: "Heden" },
      ],
      plannedPath: [START, dropoff],
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

function sendFixes(app: RunningApp, driverId: string, token: string) {
  const hello = { sessionId: randomUUID(), party: { kind: "PARTY_KIND_DRIVER", id: driverId } };
  let seq = 0;
  let paused = false;
  let sending: Promise<void> = Promise.resolve();
  const send = async () => {
    const now = Date.now();
    const position = { ...START, latitudeDeg: START.latitudeDeg + seq * NORTH_DEG_PER_S };
    const fix = {
      seq: seq++,
      capturedAtMs: String(now),
      position,
      accuracyM: 4,
      speedMps: 10,
      headingDeg: 0,
    };
    const fixes = { fixes: [fix], deviceTimeMs: String(now) };
    try {
      const response = await fetch(`${app.url}/v1/fixes`, {
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
