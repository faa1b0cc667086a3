import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { DriverLink } from "../../demo/driver-link.ts";
import { type Ack, VerdictCode } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import { TripService, TripType, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import type { Fix } from "../../internal/core/fix.ts";
import { destination } from "../../internal/core/geo.ts";
import type { ServiceProcess } from "./service-process.ts";

/** One fix per car and so long, as in normal operation. */
export const FIX_INTERVAL_MS = 4_000;
const SPEED_MPS = 10;
const RECONNECT_MS = 200;
/** A batch that got no verdicts is sent again after this while the stream stays. */
const RESEND_MS = 1_000;
/** Trips that are created at a time. */
const CREATE_BATCH = 25;

/** What a driver was told of a fix. */
export type AckedFix = { driverId: string; sessionId: string; seq: number; capturedAtMs: number };

type Driver = {
  id: string;
  sessionId: string;
  tripId: string;
  token: string;
  link: DriverLink | undefined;
  seq: number;
  unacked: Map<number, Fix>;
  north: number;
  east: number;
  bearing: number;
};

/**
 * Cars that send one fix per interval, open loop: when a fix is due it is sent, whatever happened to those before.
 * Unacked fixes are kept and sent again after a reconnect, as a driver app does.
 */
export class LoadDrivers {
  readonly #server: ServiceProcess;
  readonly #drivers: Driver[];
  readonly acked: AckedFix[] = [];
  readonly ackMs: number[] = [];
  sent = 0;
  #running = true;
  #loop: Promise<void> = Promise.resolve();

  private constructor(server: ServiceProcess, drivers: Driver[]) {
    this.#server = server;
    this.#drivers = drivers;
  }

  /** Books a trip per driver and connects them all. */
  static async create(server: ServiceProcess, count: number, prefix: string): Promise<LoadDrivers> {
    const drivers: Driver[] = [];
    for (let first = 0; first < count; first += CREATE_BATCH) {
      const size = Math.min(CREATE_BATCH, count - first);
      drivers.push(
        ...(await Promise.all(Array.from({ length: size }, (_, i) => newDriver(server, prefix, first + i)))),
      );
    }
    const load = new LoadDrivers(server, drivers);
    for (let first = 0; first < count; first += CREATE_BATCH) {
      await Promise.all(drivers.slice(first, first + CREATE_BATCH).map((driver) => load.#connect(driver)));
    }
    return load;
  }

  get trips(): { tripId: string; driverId: string; riderId: string }[] {
    return this.#drivers.map(({ tripId, id }) => ({ tripId, driverId: id, riderId: `${id}-rider` }));
  }

  /** Starts sending; each car has its own place within the interval. */
  start(): void {
    this.#loop = this.#send();
  }

  /** Stops sending and waits until everything is acked, or for so long. */
  async finish(patienceMs: number): Promise<{ unacked: number }> {
    this.#running = false;
    await this.#loop;
    const deadline = performance.now() + patienceMs;
    const open = () => this.#drivers.reduce((sum, driver) => sum + driver.unacked.size, 0);
    while (open() > 0 && performance.now() < deadline) await pause(50);
    return { unacked: open() };
  }

  async close(): Promise<void> {
    this.#running = false;
    for (const driver of this.#drivers) driver.link?.close();
    await Promise.all(this.#drivers.map((driver) => driver.link?.closed));
  }

  /** Measured latencies so far are forgotten (after the warm-up). */
  resetTimings(): void {
    this.ackMs.length = 0;
  }

  async #send(): Promise<void> {
    const start = Date.now() + 100;
    const step = FIX_INTERVAL_MS / this.#drivers.length;
    for (let n = 0; this.#running; n++) {
      const dueAtMs = Math.round(start + n * step);
      const early = dueAtMs - Date.now();
      if (early > 0) await pause(early);
      this.#sendFix(this.#drivers[n % this.#drivers.length]!, dueAtMs);
    }
  }

  #sendFix(driver: Driver, dueAtMs: number): void {
    const fix = nextFix(driver, dueAtMs);
    driver.unacked.set(fix.seq, fix);
    this.sent++;
    if (driver.link) this.#transmit(driver, driver.link, [fix]);
  }

  #transmit(driver: Driver, link: DriverLink, fixes: Fix[]): void {
    link.send(fixes).then(
      (ack) => this.#acked(driver, ack),
      () => {
        // Kept, and sent again after the reconnect, or on this stream when it was the batch that was refused.
        if (driver.link === link) void this.#resend(driver, link, fixes);
      },
    );
  }

  async #resend(driver: Driver, link: DriverLink, fixes: Fix[]): Promise<void> {
    await pause(RESEND_MS);
    const missed = fixes.filter(({ seq }) => driver.unacked.has(seq));
    if (driver.link === link && missed.length > 0) this.#transmit(driver, link, missed);
  }

  #acked(driver: Driver, { verdicts }: Ack): void {
    const now = Date.now();
    for (const { seq, code } of verdicts) {
      const fix = driver.unacked.get(seq);
      if (!fix || !isDurable(code)) continue;
      driver.unacked.delete(seq);
      const { id: driverId, sessionId } = driver;
      this.acked.push({ driverId, sessionId, seq, capturedAtMs: fix.capturedAtMs });
      this.ackMs.push(now - fix.capturedAtMs);
    }
  }

  async #connect(driver: Driver): Promise<void> {
    while (this.#running || driver.unacked.size > 0) {
      const link = new DriverLink({
        address: this.#server.grpcAddress,
        token: driver.token,
        sessionId: driver.sessionId,
        now: () => Date.now(),
        onLaterAck: (ack) => this.#acked(driver, ack),
      });
      const welcome = await link.hello().catch(() => undefined);
      if (!welcome) {
        await pause(RECONNECT_MS * (0.5 + Math.random()));
        continue;
      }
      driver.link = link;
      void link.closed.then(() => {
        driver.link = undefined;
        if (this.#running || driver.unacked.size > 0) void this.#connect(driver);
      });
      const missed = [...driver.unacked.values()].sort((a, b) => b.seq - a.seq);
      for (let i = 0; i < missed.length; i += 500) this.#transmit(driver, link, missed.slice(i, i + 500));
      return;
    }
  }
}

function isDurable(code: VerdictCode): boolean {
  return code === VerdictCode.ACCEPTED || code === VerdictCode.DUPLICATE || code === VerdictCode.LATE;
}

async function newDriver(server: ServiceProcess, prefix: string, index: number): Promise<Driver> {
  const id = `${prefix}-${String(index).padStart(5, "0")}`;
  const start = destination(57.7, 11.97, (index * 137.5) % 360, 20 * (index % 400));
  const end = destination(start.latDeg, start.lonDeg, (index * 61) % 360, 20_000);
  const client = createClient(
    TripService,
    createConnectTransport({ baseUrl: server.httpUrl, httpVersion: "1.1" }),
  );
  const place = ({ latDeg, lonDeg }: { latDeg: number; lonDeg: number }) => ({
    latitudeDeg: latDeg,
    longitudeDeg: lonDeg,
  });
  const { trip } = await client.createTrip(
    {
      idempotencyKey: `trip-${id}`,
      type: TripType.EXCLUSIVE,
      riderIds: [`${id}-rider`],
      driverId: id,
      waypoints: [
        { kind: WaypointKind.PICKUP, position: place(start) },
        { kind: WaypointKind.DROPOFF, position: place(end) },
      ],
    },
    { headers: { authorization: `Bearer ${await server.mint("backend", "load")}` } },
  );
  return {
    id,
    sessionId: `session-${id}`,
    tripId: trip!.tripId,
    token: await server.mint("driver", id),
    link: undefined,
    seq: 0,
    unacked: new Map(),
    north: start.latDeg,
    east: start.lonDeg,
    bearing: (index * 61) % 360,
  };
}

function nextFix(driver: Driver, capturedAtMs: number): Fix {
  const metres = (SPEED_MPS * FIX_INTERVAL_MS) / 1000;
  const { latDeg, lonDeg } = destination(driver.north, driver.east, driver.bearing, metres);
  driver.north = latDeg;
  driver.east = lonDeg;
  return {
    seq: driver.seq++,
    capturedAtMs,
    latDeg,
    lonDeg,
    accuracyM: 4,
    speedMps: SPEED_MPS,
    headingDeg: driver.bearing,
    altitudeM: Number.NaN,
    source: "gnss",
    mock: false,
  };
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
