import type { Logger } from "pino";
import type { Settings } from "../config/settings.ts";
import type { Limits } from "../core/limits.ts";
import { type Clock, systemClock } from "../core/time.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { NatsLogOptions } from "../eventlog/nats/log.ts";
import type { History } from "../history/history.ts";
import type { Latest } from "../latest/latest.ts";
import type { LiveBus } from "../live/bus.ts";
import type { NatsBusOptions } from "../live/nats/bus.ts";
import type { NatsLink } from "../nats/link.ts";
import type { Leases } from "../partitions/lease.ts";
import type { Snapshots } from "../partitions/snapshots.ts";
import type { Nodes } from "../placement/nodes.ts";
import type { Revocations } from "../sessions/revocations.ts";
import type { Trips } from "../trips/trips.ts";
import type { Links, Share } from "./links.ts";

/** What an engine may need to start. */
export type EngineContext = {
  settings: Settings;
  region: string;
  /** Path of something of the region's in the data folder. */
  path(...parts: string[]): string;
  /** Path of something that the regions share. */
  sharedPath(...parts: string[]): string;
  /** Opens something once for all regions that name it alike. */
  share: Share;
  /** Connections to the servers of the region. */
  links: Links;
  /** Names this process among the others. */
  nodeId: string;
  clock: Clock;
  limits: Limits;
  logger: Logger;
  busEvents: NonNullable<NatsBusOptions["events"]>;
};

/** One engine per port. */
export type Engines = {
  log: EventLog;
  history: History;
  trips: Trips;
  latest: Latest;
  bus: LiveBus;
};

/** What only a processor opens: to open leases is to ask for partitions. */
export type Ownership = { leases: Leases; snapshots: Snapshots };

type Openable = Engines & Ownership & { nodes: Nodes; revocations: Revocations };
type EngineTable = {
  [Port in keyof Openable]: Record<Settings["engines"], (context: EngineContext) => Promise<Openable[Port]>>;
};
/** Rejects with an EngineError where the real engine would find something that was made with other settings; makes nothing. */
type Check = (context: EngineContext) => Promise<void>;

/** The embedded log's file among what is kept of a region. */
export const EMBEDDED_LOG_FILE = "log.sqlite";

/** THE TABLE of engines. Nothing outside an engine's folder knows which one runs; each loads only when it is chosen. */
export const ENGINES = {
  log: {
    async embedded({ path, region, clock, limits, settings }) {
      const { openSqliteLog } = await import("../eventlog/sqlite/log.ts");
      const { partitions } = limits;
      const maxBytes = settings.logMaxBytes;
      return openSqliteLog({ path: path(EMBEDDED_LOG_FILE), region, partitions, clock, limits, maxBytes });
    },
    async real({ links, region, limits, settings }) {
      const { openNatsLog } = await import("../eventlog/nats/log.ts");
      return openNatsLog(natsLogOptions(settings, limits, region, await links.nats()));
    },
  },
  history: {
    embedded: ({ sharedPath, share }) =>
      share("history", async () => {
        const { openSqliteHistory } = await import("../history/sqlite/history.ts");
        return openSqliteHistory({ path: sharedPath("history.sqlite") });
      }),
    real: ({ links, share, settings, clock }) =>
      share(`history ${links.cassandraName}`, async () => {
        const { openCassandraHistory } = await import("../history/cassandra/history.ts");
        return openCassandraHistory({
          link: await links.cassandra(),
          retentionMs: settings.historyRetentionMs,
          clock,
        });
      }),
  },
  trips: {
    embedded: ({ sharedPath, share }) =>
      share("trips", async () => {
        const { SqliteTrips } = await import("../trips/sqlite/sqlite-trips.ts");
        return SqliteTrips.open({ path: sharedPath("trips.sqlite") });
      }),
    real: ({ links, share, clock, settings }) =>
      share(`trips ${links.cassandraName}`, async () => {
        const { openCassandraTrips } = await import("../trips/cassandra/trips.ts");
        return openCassandraTrips({
          link: await links.cassandra(),
          clock,
          retentionMs: settings.historyRetentionMs,
        });
      }),
  },
  latest: {
    async embedded({ clock }) {
      const { MemoryLatest } = await import("../latest/memory/memory-latest.ts");
      return new MemoryLatest(clock);
    },
    async real({ links, region, limits, clock }) {
      const { openRedisLatest } = await import("../latest/redis/latest.ts");
      return openRedisLatest({ link: await links.redis(), region, limits, clock });
    },
  },
  bus: {
    embedded: ({ logger, share }) =>
      share("bus", async () => {
        const { MemoryBus } = await import("../live/memory/memory-bus.ts");
        return new MemoryBus((error) => logger.error({ err: error }, "a listener of the live bus threw"));
      }),
    async real({ links, region, logger, busEvents: events }) {
      const { openNatsBus } = await import("../live/nats/bus.ts");
      return openNatsBus({
        link: await links.nats(),
        region,
        events,
        onError: (error) => logger.error({ err: error }, "a listener of the live bus threw"),
      });
    },
  },
  leases: {
    async embedded({ path, clock, limits }) {
      const { openLocalLeases } = await import("../partitions/local/leases.ts");
      return openLocalLeases({
        path: path("epoch"),
        partitions: limits.partitions,
        clock,
        handOverMs: limits.handOverMs,
      });
    },
    async real({ links, region, limits, nodeId, settings, logger }) {
      const { openNatsLeases } = await import("../partitions/nats/leases.ts");
      return openNatsLeases({
        link: await links.nats(),
        region,
        partitions: limits.partitions,
        memberId: nodeId,
        // How long another process was silent is real time, also where that of the fixes is driven.
        clock: systemClock,
        limits,
        replicas: settings.natsReplicas,
        onError: (error) => logger.warn({ err: error }, "leases"),
      });
    },
  },
  snapshots: {
    async embedded({ path }) {
      const { openFileSnapshots } = await import("../partitions/local/snapshots.ts");
      return openFileSnapshots(path("snapshots"));
    },
    async real({ links, region, settings }) {
      const { openNatsSnapshots } = await import("../partitions/nats/snapshots.ts");
      return openNatsSnapshots({ link: await links.nats(), region, replicas: settings.natsReplicas });
    },
  },
  nodes: {
    embedded: ({ share }) =>
      share("nodes", async () => {
        const { localNodes } = await import("../placement/local/nodes.ts");
        return localNodes();
      }),
    async real({ links, region, settings, limits, logger }) {
      const { openNatsNodes } = await import("../placement/nats/nodes.ts");
      return openNatsNodes({
        link: await links.nats(),
        region,
        replicas: settings.natsReplicas,
        clock: systemClock,
        limits,
        onError: (error) => logger.warn({ err: error }, "nodes"),
      });
    },
  },
  revocations: {
    embedded: ({ sharedPath, share, clock, limits, logger }) =>
      share("revocations", async () => {
        const { openLocalRevocations } = await import("../sessions/local/revocations.ts");
        return openLocalRevocations({
          ...{ path: sharedPath("revocations"), clock, limits },
          onError: (error) => logger.error({ err: error }, "a listener of revocations threw"),
        });
      }),
    async real({ links, region, settings, clock, limits, logger }) {
      const { openNatsRevocations } = await import("../sessions/nats/revocations.ts");
      return openNatsRevocations({
        ...{ link: await links.nats(), region, replicas: settings.natsReplicas, clock, limits },
        onError: (error) => logger.warn({ err: error }, "revocations"),
      });
    },
  },
} as const satisfies EngineTable;

/** Of the ports whose real engines make something when they are opened. */
export const CHECKS = {
  async log({ links, region, limits, settings }) {
    const { checkNatsLog } = await import("../eventlog/nats/log.ts");
    await checkNatsLog(natsLogOptions(settings, limits, region, await links.nats()));
  },
  async leases({ links, region, limits, settings }) {
    const { checkNatsLeases } = await import("../partitions/nats/leases.ts");
    await checkNatsLeases({ link: await links.nats(), region, limits, replicas: settings.natsReplicas });
  },
  async snapshots({ links, region, settings }) {
    const { checkNatsSnapshots } = await import("../partitions/nats/snapshots.ts");
    await checkNatsSnapshots({ link: await links.nats(), region, replicas: settings.natsReplicas });
  },
  async nodes({ links, region, settings }) {
    const { checkNatsNodes } = await import("../placement/nats/nodes.ts");
    await checkNatsNodes({ link: await links.nats(), region, replicas: settings.natsReplicas });
  },
  async revocations({ links, region, settings }) {
    const { checkNatsRevocations } = await import("../sessions/nats/revocations.ts");
    await checkNatsRevocations({ link: await links.nats(), region, replicas: settings.natsReplicas });
  },
} as const satisfies { [Port in keyof Openable]?: Check };

function natsLogOptions(settings: Settings, limits: Limits, region: string, link: NatsLink): NatsLogOptions {
  const { natsReplicas: replicas, logRetentionMs: retentionMs, logMaxBytes: maxBytes } = settings;
  return { link, region, partitions: limits.partitions, replicas, retentionMs, maxBytes, limits };
}

/** What makes nothing when it is opened. */
export type Stores = Pick<Engines, "history" | "trips" | "latest">;

/** Opens the stores of a region; the stack closes them in reverse order. */
export async function openStores(stack: AsyncDisposableStack, context: EngineContext): Promise<Stores> {
  const { engines } = context.settings;
  const { history, trips, latest } = ENGINES;
  return {
    history: await history[engines](context),
    trips: await trips[engines](context),
    latest: stack.use(await latest[engines](context)),
  };
}

/** Opens log and bus of a region beside its stores; the stack closes them in reverse order. */
export async function openEngines(
  stack: AsyncDisposableStack,
  context: EngineContext,
  stores: Stores,
): Promise<Engines> {
  const { engines } = context.settings;
  const { log, bus } = ENGINES;
  return {
    ...stores,
    log: stack.use(await log[engines](context)),
    bus: engines === "embedded" ? await bus.embedded(context) : stack.use(await bus.real(context)),
  };
}
