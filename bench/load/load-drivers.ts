import type { Fix } from "../../internal/core/fix.ts";
import { bookTrip, type LoadTrip } from "./book-trip.ts";
import { LoadDriver } from "./load-driver.ts";
import { pause } from "./pause.ts";
import type { Service } from "./service.ts";

export { pause } from "./pause.ts";

/** One fix per car and so long, as in normal operation. */
export const FIX_INTERVAL_MS = 4_000;
/** Trips and connections that are made at a time. */
const AT_A_TIME = 25;
const MAX_PAUSE_MS = 100;
/** How often drivers look for answers that are owed. */
const HOPE_PERIOD_MS = 1_000;

/** What a driver was told of a fix. */
export type AckedFix = { driverId: string; sessionId: string; seq: number; capturedAtMs: number };

/** Cars that send one fix per interval, open loop, each with a trip and a connection of its own. */
export class LoadDrivers {
  readonly #drivers: readonly LoadDriver[];
  readonly #intervalMs: number;
  /** Fixes that drivers were told are durable. */
  readonly acked: AckedFix[] = [];
  /** When they were told, beside `acked`; milliseconds since 1970. */
  readonly ackedAtMs: number[] = [];
  /** From when a fix was due until it was durable. */
  readonly ackMs: number[] = [];
  readonly trips: readonly LoadTrip[];
  sent = 0;
  /** Verdicts BUFFERED. */
  buffered = 0;
  /** Fixes that were refused for good. */
  refused = 0;
  #running = true;
  #loop: Promise<void> = Promise.resolve();

  private constructor(
    service: Service,
    booked: readonly Booked[],
    intervalMs: number,
    tokens: readonly string[],
  ) {
    this.#intervalMs = intervalMs;
    this.trips = booked;
    this.#drivers = booked.map(({ driverId, tripId, start, bearingDeg }, index) => {
      const driver: LoadDriver = new LoadDriver({
        ...{ id: driverId, tripId, start, bearingDeg, token: tokens[index]!, first: index },
        gatewayAddresses: service.gatewayAddresses,
        onDurable: (fix) => this.#durable(driver, fix),
        onBuffered: (count) => {
          this.buffered += count;
        },
        onRefused: (count) => {
          this.refused += count;
        },
      });
      return driver;
    });
  }

  /**
   * Books a trip per driver and connects them all, spread over the gateways.
   * @param intervalMs between two fixes of one car
   */
  static async create(
    service: Service,
    count: number,
    prefix: string,
    intervalMs = FIX_INTERVAL_MS,
  ): Promise<LoadDrivers> {
    const booked = await inGroups(count, (index) =>
      bookTrip(service, `${prefix}-${String(index).padStart(5, "0")}`, index),
    );
    const tokens = await Promise.all(booked.map(({ driverId }) => service.mint("driver", driverId)));
    const load = new LoadDrivers(service, booked, intervalMs, tokens);
    await inGroups(count, (index) => load.#drivers[index]!.connect());
    return load;
  }

  /** Starts sending; each car has its own place within the interval. */
  start(): void {
    this.#loop = this.#send();
  }

  /** Fixes per second that became known to be durable in that time, milliseconds since 1970. */
  ackedPerSecond(fromMs: number, toMs: number): number {
    const count = this.ackedAtMs.reduce((sum, at) => sum + (at >= fromMs && at < toMs ? 1 : 0), 0);
    return (count * 1_000) / (toMs - fromMs);
  }

  /** Fixes that are not known to be durable. */
  get open(): number {
    return this.#drivers.reduce((sum, driver) => sum + driver.open, 0);
  }

  /** Stops sending and waits until everything is acked, or for so long. */
  async finish(patienceMs: number): Promise<{ unacked: number }> {
    this.#running = false;
    await this.#loop;
    const deadline = performance.now() + patienceMs;
    while (this.open > 0 && performance.now() < deadline) {
      await pause(50);
      this.#loseHope();
    }
    return { unacked: this.open };
  }

  async close(): Promise<void> {
    this.#running = false;
    await this.#loop;
    await Promise.all(this.#drivers.map((driver) => driver.close()));
  }

  /** Measured latencies so far are forgotten (after the warm-up). */
  resetTimings(): void {
    this.ackMs.length = 0;
  }

  async #send(): Promise<void> {
    const start = Date.now() + 100;
    const step = this.#intervalMs / this.#drivers.length;
    let hopedAtMs = start;
    for (let n = 0; this.#running; n++) {
      const dueAtMs = Math.round(start + n * step);
      // In small steps, so that an end is noticed between two fixes that are far apart.
      for (let early = dueAtMs - Date.now(); early > 0 && this.#running; early = dueAtMs - Date.now())
        await pause(Math.min(early, MAX_PAUSE_MS));
      if (!this.#running) return;
      this.#drivers[n % this.#drivers.length]!.drive(this.#intervalMs, dueAtMs);
      this.sent++;
      if (dueAtMs - hopedAtMs < HOPE_PERIOD_MS) continue;
      hopedAtMs = dueAtMs;
      this.#loseHope();
    }
  }

  #loseHope(): void {
    const now = Date.now();
    for (const driver of this.#drivers) driver.loseHope(now);
  }

  #durable({ id, sessionId }: LoadDriver, { seq, capturedAtMs }: Fix): void {
    const now = Date.now();
    this.acked.push({ driverId: id, sessionId, seq, capturedAtMs });
    this.ackedAtMs.push(now);
    this.ackMs.push(now - capturedAtMs);
  }
}

type Booked = Awaited<ReturnType<typeof bookTrip>>;

async function inGroups<Result>(count: number, make: (index: number) => Promise<Result>): Promise<Result[]> {
  const made: Result[] = [];
  for (let first = 0; first < count; first += AT_A_TIME) {
    const size = Math.min(AT_A_TIME, count - first);
    made.push(...(await Promise.all(Array.from({ length: size }, (_, i) => make(first + i)))));
  }
  return made;
}
