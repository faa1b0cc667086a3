import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { Registry } from "prom-client";
import { jwksFile } from "../auth/jwks.ts";
import { jwtAuthenticator } from "../auth/jwt.ts";
import { jwksPathOf, makeKeyFiles } from "../auth/keys.ts";
import { tokenMint } from "../auth/mint.ts";
import type { Authenticator, Role } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../core/limits.ts";
import type { LiveChange, TripLive } from "../core/live.ts";
import { packLive } from "../core/packed-live.ts";
import { type Clock, systemClock } from "../core/time.ts";
import type { Trip } from "../core/trip.ts";
import { MemoryLatest } from "../latest/memory/memory-latest.ts";
import { applyChange, startLive } from "../live/apply-change.ts";
import { ChangeMaker, positionAt } from "../live/kit.ts";
import { MemoryBus } from "../live/memory/memory-bus.ts";
import { BusPresence } from "../live/presence.ts";
import { TripHub } from "../live/trip-hub.ts";
import { memoryRevocations } from "../sessions/kit.ts";
import { revocableAuthenticator } from "../sessions/revocable-authenticator.ts";
import type { Revocations } from "../sessions/revocations.ts";
import { RollCall } from "../sessions/roll-call.ts";
import { DEFAULT_WEB_SETTINGS, type EdgeDeps } from "./deps.ts";
import { createEdge, type NodeServer } from "./edge.ts";

/** For tests: a trip id that no other call gave. */
export function someTripId(number: number): string {
  return `se1-${String(number).padStart(26, "0")}`;
}

/** For tests: a real edge on a free port, with the real hub, bus and latest state, and keys of its own. */
export type TestEdge = AsyncDisposable & {
  edge: NodeServer;
  url: string;
  bus: MemoryBus;
  latest: MemoryLatest;
  clock: Clock;
  registry: Registry;
  authenticator: Authenticator;
  revocations: Revocations;
  logs: string[];
  token(role: Role, subject: string, ttlMs?: number): Promise<string>;
  /** Puts a trip into the store and gives it a live state. */
  start(trip: Trip): Promise<LiveTripSource>;
};

export type TestEdgeOptions = Partial<Omit<EdgeDeps, "limits">> & {
  limits?: Partial<Limits>;
  /** One more edge with the bus, the latest state, the keys and the revocations of this one, which must live longer. */
  beside?: TestEdge;
  /** Names the edge among those of its bus. */
  nodeId?: string;
  /** Nodes that are known to live. */
  liveNodes?: readonly string[];
};

/** Makes changes of one trip, stores and publishes them as the live projection does. */
export class LiveTripSource {
  readonly maker: ChangeMaker;
  readonly #latest: MemoryLatest;
  readonly #bus: MemoryBus;
  live: TripLive;

  constructor(trip: Trip, latest: MemoryLatest, bus: MemoryBus) {
    this.maker = new ChangeMaker(trip.tripId);
    this.#latest = latest;
    this.#bus = bus;
    this.live = startLive(this.maker.begin(trip))!;
  }

  async store(): Promise<void> {
    await this.#latest.update({
      partition: 0,
      partitionEpoch: 1,
      parties: [],
      trips: [packLive(this.live)],
      removed: [],
    });
  }

  /** Publishes first, then stores, as the river does. */
  async publish(change: LiveChange): Promise<void> {
    this.live = applyChange(this.live, change);
    this.#bus.publish(change);
    await this.store();
  }

  move(capturedAtMs: number): Promise<void> {
    const position = { ...positionAt(capturedAtMs), latDeg: 57.7 + (capturedAtMs % 1e6) / 1e8 };
    return this.publish(this.maker.next({ position }));
  }
}

export async function startTestEdge(
  trips: Map<string, Trip>,
  options: TestEdgeOptions = {},
): Promise<TestEdge> {
  const clock = options.clock ?? systemClock;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const folder = await mkdtemp(join(tmpdir(), "bimride-edge-"));
  const key = await makeKeyFiles(folder);
  const keys = await jwksFile(jwksPathOf(folder), clock);
  const { beside } = options;
  const revocations = options.revocations ?? beside?.revocations ?? memoryRevocations(clock, limits);
  const authenticator =
    options.authenticator ??
    beside?.authenticator ??
    revocableAuthenticator(
      jwtAuthenticator({ keys, issuer: "bimride", audience: "bimride", clock }),
      revocations,
    );
  const mint = tokenMint(key, "bimride", "bimride", () => clock.now());
  const onError = (error: unknown) => {
    throw error;
  };
  const bus = beside?.bus ?? new MemoryBus(onError);
  const latest = beside?.latest ?? new MemoryLatest(clock);
  const hub = new TripHub({ bus, latest, clock, limits, onError });
  const registry = new Registry();
  const logs: string[] = [];
  const logger = pino({ level: "debug" }, { write: (line: string) => logs.push(line) });
  let random = 0;
  const presence = new BusPresence({ bus, clock, limits });
  const nodeId = options.nodeId ?? "edge-1";
  const rollCall =
    options.rollCall ??
    new RollCall({
      ...{ bus, nodeId, ioClock: systemClock, limits, onUnheard: onError },
      liveNodes: () => options.liveNodes ?? [nodeId],
      newId: () => randomUUID(),
    });
  const edge = await createEdge({
    hub,
    presence,
    latest,
    history: options.history ?? noHistory,
    trips: options.trips ?? noTripService,
    tripStore: {
      get: async (tripId) => trips.get(tripId),
      list: async ({ runningOnly }) =>
        [...trips.values()].filter((trip) => !runningOnly || trip.endedAtMs === 0),
    },
    placement: options.placement ?? nowhere,
    ...{ authenticator, revocations, rollCall },
    clock,
    randomBytes: (count) => new Uint8Array(Buffer.from(String(++random).padStart(count, "0"))),
    telemetry: { logger, registry },
    readiness: options.readiness ?? [],
    webRoot: options.webRoot,
    plugins: options.plugins ?? [],
    demo: options.demo,
    web: { ...DEFAULT_WEB_SETTINGS, ...options.web },
    limits,
  });
  const { port } = await edge.listen("127.0.0.1", 0);
  return {
    edge,
    url: `http://127.0.0.1:${port}`,
    bus,
    latest,
    clock,
    ...{ authenticator, revocations },
    registry,
    logs,
    token: async (role, subject, ttlMs = 3_600_000) => (await mint({ role, subject, ttlMs })).token,
    async start(trip) {
      trips.set(trip.tripId, trip);
      const source = new LiveTripSource(trip, latest, bus);
      await source.store();
      return source;
    },
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]();
      rollCall[Symbol.dispose]();
      await hub[Symbol.asyncDispose]();
      presence[Symbol.dispose]();
      await rm(folder, { recursive: true });
    },
  };
}

const unused = async (): Promise<never> => {
  throw new Error("this test needs no such part");
};
const unplaced = () => {
  throw new BimrideError("NO_LIVE_NODE");
};
const nowhere: EdgeDeps["placement"] = { ofParty: unplaced, ofTrip: unplaced };
const noHistory: EdgeDeps["history"] = { track: unused, final: unused, events: unused };
const noTripService: EdgeDeps["trips"] = {
  createTrip: unused,
  getTrip: unused,
  updateTrip: unused,
  setStatus: unused,
  cancel: unused,
  shareLocation: unused,
  list: unused,
};
