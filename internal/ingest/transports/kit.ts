import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import websocket from "@fastify/websocket";
import fastify from "fastify";
import { jwksFile } from "../../auth/jwks.ts";
import { jwtAuthenticator } from "../../auth/jwt.ts";
import { jwksPathOf, makeKeyFiles } from "../../auth/keys.ts";
import { tokenMint } from "../../auth/mint.ts";
import type { Authenticator, Principal, Role } from "../../auth/principal.ts";
import { BimrideError, type ErrorCode } from "../../core/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../core/limits.ts";
import type { RegionOf } from "../../core/region.ts";
import { type Clock, systemClock } from "../../core/time.ts";
import type { Trip } from "../../core/trip.ts";
import { decodeEntry } from "../../eventlog/codec.ts";
import type { EventLog } from "../../eventlog/log.ts";
import type { LogRecord } from "../../eventlog/record.ts";
import { openSqliteLog } from "../../eventlog/sqlite/log.ts";
import type { LiveBus } from "../../live/bus.ts";
import { MemoryBus } from "../../live/memory/memory-bus.ts";
import { memoryRevocations } from "../../sessions/kit.ts";
import { revocableAuthenticator } from "../../sessions/revocable-authenticator.ts";
import type { Revocations } from "../../sessions/revocations.ts";
import { createTelemetry } from "../../telemetry/create-telemetry.ts";
import type { TripFilter, Trips } from "../../trips/trips.ts";
import { createIngest, type Ingest } from "../ingest.ts";
import { openSpool, type Spool } from "../spool/spool.ts";
import { SpoolEvents } from "../spool-events.ts";
import type { MqttIngestOptions } from "./mqtt/server.ts";
import { ingestWebSocketRoutes } from "./websocket/routes.ts";
import { ingestWebSocketOptions } from "./websocket/subprotocol.ts";

/** The machine's clocks with the wall clock shifted, so that a test can let tokens expire. */
export class ShiftedClock implements Clock {
  shiftMs = 0;

  now(): number {
    return systemClock.now() + this.shiftMs;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  after(delayMs: number, callback: () => void): () => void {
    return systemClock.after(delayMs, callback);
  }

  every(periodMs: number, callback: () => void): () => void {
    return systemClock.every(periodMs, callback);
  }
}

/** A real log that fails on demand in the ways that a real one can't be made to at will. */
export class FailingLog implements EventLog {
  readonly region: string;
  readonly partitions: number;
  readonly numbersTogether: boolean;
  /** Appends are refused with this while it is set. */
  failure: ErrorCode | undefined;
  /** Appends wait for this before they begin. */
  gate: Promise<void> = Promise.resolve();
  /** Appends take place while it is true, and the answer is lost. */
  losesAnswers = false;
  readonly #log: EventLog;

  constructor(log: EventLog) {
    this.#log = log;
    this.region = log.region;
    this.partitions = log.partitions;
    this.numbersTogether = log.numbersTogether;
  }

  async append(partition: number, body: Uint8Array): Promise<number> {
    if (this.failure) throw new BimrideError(this.failure);
    await this.gate;
    const sequence = await this.#log.append(partition, body);
    if (this.losesAnswers) throw new BimrideError("LOG_UNAVAILABLE");
    return sequence;
  }

  read = (...args: Parameters<EventLog["read"]>) => this.#log.read(...args);
  bounds = (partition: number) => this.#log.bounds(partition);
  sequenceAt = (...args: Parameters<EventLog["sequenceAt"]>) => this.#log.sequenceAt(...args);
  lostAfter = (...args: Parameters<EventLog["lostAfter"]>) => this.#log.lostAfter(...args);
  trim = (beforeMs: number) => this.#log.trim(beforeMs);
  health = () => this.#log.health();

  [Symbol.asyncDispose](): Promise<void> {
    return this.#log[Symbol.asyncDispose]();
  }
}

/** Running trips by driver, and those that are over; the rest of the port is not asked here. */
class RunningTrips implements Pick<Trips, "runningOf" | "get" | "list"> {
  readonly byDriver = new Map<string, Trip>();
  readonly over = new Map<string, Trip>();
  /** What drivers did, oldest first. */
  readonly acts: { driverId: string; tripId: string; action: string; waypointIndex: number | undefined }[] =
    [];
  /** What riders said of the sharing of their place, oldest first. */
  readonly sharings: { riderId: string; tripId: string; granted: boolean }[] = [];
  /** What they do is refused with this while it is set. */
  actFailure: ErrorCode | undefined;
  /** While true the store can't be reached. */
  down = false;

  async runningOf(driverId: string): Promise<Trip | undefined> {
    if (this.down) throw new BimrideError("STORE_UNAVAILABLE");
    return this.byDriver.get(driverId);
  }

  async get(tripId: string): Promise<Trip | undefined> {
    const running = [...this.byDriver.values()].find((trip) => trip.tripId === tripId);
    return running ?? this.over.get(tripId);
  }

  async list({ riderId }: TripFilter): Promise<Trip[]> {
    if (this.down) throw new BimrideError("STORE_UNAVAILABLE");
    return [...this.byDriver.values()].filter((trip) => trip.riderIds.includes(riderId ?? ""));
  }

  async shareLocation({ subject }: Principal, tripId: string, granted: boolean): Promise<void> {
    if (this.actFailure) throw new BimrideError(this.actFailure);
    this.sharings.push({ riderId: subject, tripId, granted });
  }

  async act(
    { subject }: Principal,
    tripId: string,
    action: string,
    waypointIndex: number | undefined,
  ): Promise<void> {
    if (this.actFailure) throw new BimrideError(this.actFailure);
    this.acts.push({ driverId: subject, tripId, action, waypointIndex });
  }
}

export type TestGateway = {
  ingest: Ingest;
  /** Of the first region. */
  log: FailingLog;
  /** By region. */
  logs: ReadonlyMap<string, FailingLog>;
  bus: MemoryBus;
  trips: RunningTrips;
  authenticator: Authenticator;
  revocations: Revocations;
  clock: ShiftedClock;
  limits: Limits;
  grpcPort: number;
  mqttPort: number;
  /** `127.0.0.1:port` of HTTP and WebSocket. */
  httpAddress: string;
  token(role: Role, subject: string, ttlMs?: number): Promise<string>;
  /** Sum of a metric over the series that have these labels. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  /** All records of a region's log (the first one's by default), in order within each partition. */
  records(region?: string): Promise<LogRecord[]>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type TestGatewayOptions = {
  limits?: Partial<Limits>;
  grpc?: { keepaliveTimeMs: number; keepaliveTimeoutMs: number };
  pingPeriodMs?: number;
  mqtt?: Pick<MqttIngestOptions, "tls" | "unreadTimeoutMs">;
  /** A spool for the time that the log is away. */
  spool?: boolean;
  /** Regions; one, "test", by default. The first is the gateway's own. */
  regions?: readonly string[];
  regionOf?: RegionOf;
  /** One more gateway on the logs, the bus, the keys, the revocations and the clock of this one, which must live longer. */
  beside?: TestGateway;
  /** Instead of its own, e.g. those of real engines; they stay their owner's. */
  engines?: { bus: LiveBus; revocations: Revocations };
};

/** A whole gateway on free ports: real log, real tokens, real bus, all transports. */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const folder = await mkdtemp(join(tmpdir(), "bimride-ingest-"));
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { beside } = options;
  const clock = beside?.clock ?? new ShiftedClock();
  const [ownRegion = "test", ...others] = options.regions ?? [];
  const logs = new Map<string, FailingLog>(beside?.logs);
  if (!beside)
    for (const region of [ownRegion, ...others])
      logs.set(region, await openLog(folder, region, clock, limits));
  const log = logs.get(ownRegion)!;
  const key = await makeKeyFiles(folder);
  const [issuer, audience] = ["https://test.invalid", "bimride"];
  const keys = await jwksFile(jwksPathOf(folder), clock);
  const mint = tokenMint(key, issuer, audience, () => clock.now());
  const telemetry = createTelemetry({ role: "test", level: "silent", processMetrics: false });
  const bus =
    beside?.bus ??
    new MemoryBus((error) => {
      throw error;
    });
  const trips = new RunningTrips();
  const revocations = options.engines?.revocations ?? beside?.revocations ?? memoryRevocations(clock, limits);
  const authenticator =
    beside?.authenticator ??
    revocableAuthenticator(jwtAuthenticator({ keys, issuer, audience, clock }), revocations);
  const spools = new SpoolEvents(telemetry, systemClock);
  const regions = new Map<string, { log: FailingLog; spool: Spool | undefined }>();
  for (const [region, regionLog] of logs) {
    const onEvent = spools.of(region);
    const spool = options.spool
      ? await openSpool({ ...{ folder, region, maxBytes: 64 << 10, clock: systemClock, onEvent } })
      : undefined;
    regions.set(region, { log: regionLog, spool });
  }
  const ingest = createIngest({
    ...{ regions, ownRegion, clock, limits, telemetry, bus: options.engines?.bus ?? bus },
    regionOf: options.regionOf ?? (() => ownRegion),
    trips: trips as unknown as Trips,
    tripActions: trips,
    ...{ authenticator, revocations },
    gatewayId: "gateway-1",
    // A busy machine is not what these tests are about.
    shareInUse: () => 0,
  });
  const grpc = await ingest.startGrpc({ host: "127.0.0.1", port: 0, ...options.grpc });
  const mqtt = await ingest.startMqtt({ host: "127.0.0.1", port: 0, ...options.mqtt });
  const http = fastify();
  await http.register(websocket, { options: ingestWebSocketOptions(limits) });
  await http.register(ingestWebSocketRoutes(ingest, { pingPeriodMs: options.pingPeriodMs }));
  await http.register(ingest.httpRoutes());
  await http.register(mqtt.webSocketRoutes());
  await http.listen({ host: "127.0.0.1", port: 0 });
  return {
    ...{ ingest, log, logs, bus, trips, authenticator, revocations, clock, limits },
    grpcPort: grpc.port,
    mqttPort: mqtt.port,
    httpAddress: `127.0.0.1:${(http.server.address() as AddressInfo).port}`,
    token: async (role, subject, ttlMs = 3_600_000) => (await mint({ role, subject, ttlMs })).token,
    async metric(name, labels = {}) {
      const { values = [] } = (await telemetry.registry.getSingleMetric(name)?.get()) ?? {};
      const matching = values.filter((value) =>
        Object.entries(labels).every(([label, wanted]) => value.labels[label] === wanted),
      );
      return matching.reduce((sum, { value }) => sum + value, 0);
    },
    records: (region = ownRegion) => recordsOf(logs.get(region)!),
    async [Symbol.asyncDispose]() {
      await ingest[Symbol.asyncDispose]();
      await grpc[Symbol.asyncDispose]();
      await mqtt[Symbol.asyncDispose]();
      await http.close();
      for (const { spool } of regions.values()) await spool?.[Symbol.asyncDispose]();
      if (!beside) {
        await bus[Symbol.asyncDispose]();
        for (const each of logs.values()) await each[Symbol.asyncDispose]();
      }
      await rm(folder, { recursive: true });
    },
  };
}

async function openLog(folder: string, region: string, clock: Clock, limits: Limits): Promise<FailingLog> {
  const path = join(folder, `${region}.sqlite`);
  const { partitions } = limits;
  return new FailingLog(await openSqliteLog({ path, region, partitions, clock, limits }));
}

async function recordsOf(log: EventLog): Promise<LogRecord[]> {
  let missing = 0;
  for (let partition = 0; partition < log.partitions; partition++)
    missing += (await log.bounds(partition)).last;
  const records: LogRecord[] = [];
  if (missing === 0) return records;
  const reading = new AbortController();
  for await (const entries of log.read(new Map(allFromStart(log.partitions)), reading.signal)) {
    for (const { body } of entries) records.push(...decodeEntry(body).records);
    missing -= entries.length;
    if (missing <= 0) reading.abort();
  }
  return records;
}

function allFromStart(partitions: number): [number, number][] {
  return Array.from({ length: partitions }, (_, partition) => [partition, 0]);
}
