import { create, toBinary } from "@bufbuild/protobuf";
import { connect, type MqttClient } from "mqtt";
import { FixSource } from "../../gen/bimride/tracking/v1/fix_pb.ts";
import { PublishRequestSchema } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import { destination } from "../../internal/core/geo.ts";
import { bookTrip } from "./book-trip.ts";
import type { AckedFix } from "./load-drivers.ts";
import { pause } from "./pause.ts";
import type { Service } from "./service.ts";

const INTERVAL_MS = 1_000;
const SPEED_MPS = 10;
const RECONNECT_MS = 300;
const CONNECT_PATIENCE_MS = 5_000;
const KEEPALIVE_S = 5;

type Car = Awaited<ReturnType<typeof bookTrip>> & { client: MqttClient; seq: number };

/**
 * Cars on stock MQTT clients, one fix a second each with QoS 1. What is done about a fix without a PUBACK is the library's
 * own doing: it keeps it and sends it again after it has reconnected.
 */
export class MqttDrivers implements AsyncDisposable {
  readonly #cars: readonly Car[];
  #running = true;
  #loop: Promise<void> = Promise.resolve();
  /** Fixes that got their PUBACK. */
  readonly acked: AckedFix[] = [];
  sent = 0;
  /** Connections that were made again. */
  reconnects = 0;

  private constructor(cars: readonly Car[]) {
    this.#cars = cars;
  }

  /** Books a trip for each and connects. @param address host:port of the gateway's MQTT */
  static async create(
    service: Service,
    address: string,
    count: number,
    prefix: string,
  ): Promise<MqttDrivers> {
    const cars: Car[] = [];
    for (let index = 0; index < count; index++) {
      const trip = await bookTrip(service, `${prefix}-${index}`, index);
      const password = await service.mint("driver", trip.driverId);
      const client = connect(`mqtt://${address}`, {
        ...{ clientId: sessionIdOf(trip.driverId), username: "driver", password, clean: true },
        ...{ keepalive: KEEPALIVE_S, reconnectPeriod: RECONNECT_MS, connectTimeout: CONNECT_PATIENCE_MS },
      });
      cars.push({ ...trip, client, seq: 0 });
      await connected(client);
    }
    const drivers = new MqttDrivers(cars);
    for (const { client } of cars) {
      client.on("connect", () => drivers.reconnects++);
      client.on("error", () => {}); // it tries again by itself
    }
    return drivers;
  }

  get trips(): readonly { tripId: string; driverId: string; riderId: string }[] {
    return this.#cars;
  }

  /** Fixes without a PUBACK. */
  get open(): number {
    return this.sent - this.acked.length;
  }

  start(): void {
    this.#loop = this.#send();
  }

  /** Sends nothing more and waits until all is acked, or for so long. */
  async finish(patienceMs: number): Promise<void> {
    this.#running = false;
    await this.#loop;
    const deadline = performance.now() + patienceMs;
    while (this.open > 0 && performance.now() < deadline) await pause(50);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running = false;
    await this.#loop;
    await Promise.all(this.#cars.map(({ client }) => client.endAsync(true)));
  }

  async #send(): Promise<void> {
    const step = INTERVAL_MS / this.#cars.length;
    const start = Date.now();
    for (let n = 0; this.#running; n++) {
      const early = Math.round(start + n * step) - Date.now();
      if (early > 0) await pause(early);
      this.#drive(this.#cars[n % this.#cars.length]!);
    }
  }

  #drive(car: Car): void {
    const { driverId, client, start, bearingDeg } = car;
    const seq = car.seq++;
    const capturedAtMs = Date.now();
    const place = destination(
      start.latDeg,
      start.lonDeg,
      bearingDeg,
      (seq * SPEED_MPS * INTERVAL_MS) / 1_000,
    );
    this.sent++;
    client.publish(`v1/driver/${driverId}/fixes`, payload(seq, capturedAtMs, place), { qos: 1 }, (error) => {
      if (!error) this.acked.push({ driverId, sessionId: sessionIdOf(driverId), seq, capturedAtMs });
    });
  }
}

function sessionIdOf(driverId: string): string {
  return `session-${driverId}`;
}

function payload(seq: number, capturedAtMs: number, place: { latDeg: number; lonDeg: number }): Buffer {
  const fix = {
    ...{ seq, capturedAtMs: BigInt(capturedAtMs), source: FixSource.GNSS, accuracyM: 4, speedMps: SPEED_MPS },
    position: { latitudeDeg: place.latDeg, longitudeDeg: place.lonDeg },
  };
  const value = { fixes: [fix], batchId: 1, deviceTimeMs: BigInt(Date.now()) };
  const message = create(PublishRequestSchema, { message: { case: "fixes", value } });
  return Buffer.from(toBinary(PublishRequestSchema, message));
}

function connected(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
  });
}
