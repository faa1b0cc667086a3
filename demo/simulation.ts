import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { Logger } from "pino";
import { TripService, TripStatus, TripType, WaypointKind } from "../gen/bimride/tracking/v1/trip_pb.ts";
import type { LatLon } from "../internal/core/geo.ts";
import type { Clock } from "../internal/core/time.ts";
import type { ClientTrust } from "../internal/core/tls.ts";
import { requestTrust } from "./client-trust.ts";
import { type DriverPhone, driverPhone } from "./driver-phone.ts";
import type { Fleet } from "./fleet.ts";

export type SimulationOptions = {
  fleet: Fleet;
  /** host:port of the drivers' gRPC port. */
  grpcAddress: string;
  /** Base address of Connect. */
  httpUrl: string;
  /** What phones and backend believe that reach the server by TLS, asked anew for each connection; absent without TLS. */
  trust?(): ClientTrust;
  /** Let the phones ask there which gateway to use; grpcAddress is what they fall back to. */
  locate?: boolean;
  /** Tokens for the simulated drivers and the booking backend. */
  mint(role: "driver" | "backend", subject: string): Promise<string>;
  clock: Clock;
  /** 0…1. */
  random(): number;
  logger: Logger;
  /** Share of the cars that drivers are on trips with, 0…1. */
  busyShare: number;
};

const STEP_MS = 250;
const DISPATCH_MS = 1_000;
/** New trips per dispatch round, so that a start does not book the whole city at once. */
const MAX_NEW_TRIPS = 5;

/** A fleet of phones and a booking backend against a real server: through its real ports, as anybody would. */
export class Simulation implements AsyncDisposable {
  readonly #options: SimulationOptions;
  readonly #phones = new Map<string, DriverPhone>();
  readonly #trips = new Map<string, string>();
  #stops: (() => void)[] = [];
  #dispatching: Promise<void> = Promise.resolve();

  constructor(options: SimulationOptions) {
    this.#options = options;
  }

  /** Ends what an earlier run left running, then starts the fleet. */
  async start(): Promise<void> {
    const { clock, fleet } = this.#options;
    await this.#cancelLeftovers();
    for (const driverId of fleet.driverIds) this.#phones.set(driverId, this.#phone(driverId));
    let busy = false;
    this.#stops = [
      clock.every(STEP_MS, () => this.#step()),
      clock.every(DISPATCH_MS, () => {
        if (busy) return;
        busy = true;
        this.#dispatching = this.#dispatch()
          .catch((error: unknown) => this.#options.logger.warn({ err: error }, "demo dispatch failed"))
          .finally(() => {
            busy = false;
          });
      }),
    ];
  }

  /** Fixes that were answered for, over all phones. */
  get acked(): number {
    let sum = 0;
    for (const phone of this.#phones.values()) sum += phone.acked;
    return sum;
  }

  /** Trips under way. */
  get running(): number {
    return this.#trips.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) stop();
    await this.#dispatching;
    await Promise.all([...this.#phones.values()].map((phone) => phone.stop()));
  }

  /** Made for each call, since the certificate to believe may be another one by then. */
  #client() {
    const { httpUrl, trust } = this.#options;
    const nodeOptions = trust ? { nodeOptions: requestTrust(trust()) } : {};
    const transport = createConnectTransport({ baseUrl: httpUrl, httpVersion: "1.1", ...nodeOptions });
    return createClient(TripService, transport);
  }

  #phone(driverId: string): DriverPhone {
    const { grpcAddress, httpUrl, locate, mint, clock, random, fleet, trust } = this.#options;
    return driverPhone({
      ...{ driverId, grpcAddress, httpUrl, locate, random, trust },
      token: () => mint("driver", driverId),
      now: () => clock.now() + fleet.clockAheadMs(driverId),
    });
  }

  #step(): void {
    for (const { driverId, fixes, online } of this.#options.fleet.advance(this.#options.clock.now())) {
      const phone = this.#phones.get(driverId)!;
      phone.setOnline(online);
      phone.capture(fixes);
    }
  }

  async #dispatch(): Promise<void> {
    for (const { driverId, phase } of this.#options.fleet.events()) {
      if (phase === "cruising") await this.#complete(driverId);
    }
    const target = Math.round(this.#options.fleet.driverIds.length * this.#options.busyShare);
    for (let i = 0; i < MAX_NEW_TRIPS && this.#trips.size < target; i++) await this.#book();
  }

  async #book(): Promise<void> {
    const { fleet, random } = this.#options;
    const wish = fleet.randomTripRequest();
    const car = fleet.nearestFree(wish.pickup);
    if (!car || this.#trips.has(car.driverId)) return;
    const plan = fleet.plan(car.driverId, wish.pickup, wish.dropoff);
    try {
      const { trip } = await this.#client().createTrip(
        {
          idempotencyKey: `${wish.riderId}-${Math.floor(random() * 2 ** 48).toString(36)}`,
          type: TripType.EXCLUSIVE,
          riderIds: [wish.riderId],
          driverId: car.driverId,
          waypoints: [
            { kind: WaypointKind.PICKUP, position: place(plan.pickup), label: "Pickup" },
            { kind: WaypointKind.DROPOFF, position: place(plan.dropoff), label: "Dropoff" },
          ],
          plannedPath: plan.plannedPath.map(place),
        },
        { headers: await this.#headers() },
      );
      this.#trips.set(car.driverId, trip!.tripId);
    } catch (error) {
      fleet.abandon(car.driverId);
      throw error;
    }
  }

  async #complete(driverId: string): Promise<void> {
    const tripId = this.#trips.get(driverId);
    if (!tripId) return;
    this.#trips.delete(driverId);
    await this.#client().setTripStatus(
      { tripId, status: TripStatus.COMPLETE },
      { headers: await this.#headers() },
    );
  }

  async #cancelLeftovers(): Promise<void> {
    const headers = await this.#headers();
    for (;;) {
      const { trips } = await this.#client().listTrips({ runningOnly: true, pageSize: 200 }, { headers });
      const left = trips.filter((trip) => this.#options.fleet.driverIds.includes(trip.driverId));
      for (const { tripId } of left) {
        await this.#client().cancelTrip({ tripId, reason: "The demo was started again." }, { headers });
      }
      if (left.length < 200) return;
    }
  }

  async #headers(): Promise<{ authorization: string }> {
    return { authorization: `Bearer ${await this.#options.mint("backend", "demo-backend")}` };
  }
}

function place(point: LatLon): { latitudeDeg: number; longitudeDeg: number } {
  return { latitudeDeg: point.latDeg, longitudeDeg: point.lonDeg };
}
