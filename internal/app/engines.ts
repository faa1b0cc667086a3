import type { Logger } from "pino";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { History } from "../history/history.ts";
import type { Latest } from "../latest/latest.ts";
import type { LiveBus } from "../live/bus.ts";
import type { Leases } from "../partitions/lease.ts";
import type { Snapshots } from "../partitions/snapshots.ts";
import type { Trips } from "../trips/trips.ts";

/** What an engine may need to start. */
export type EngineContext = {
  /** Path of something in the data folder. */
  path(...parts: string[]): string;
  region: string;
  clock: Clock;
  limits: Limits;
  logMaxBytes: number;
  logger: Logger;
};

/** One engine per port. */
export type Engines = {
  log: EventLog;
  history: History;
  trips: Trips;
  latest: Latest;
  bus: LiveBus;
  leases: Leases;
  snapshots: Snapshots;
};

type EngineTable = {
  [Port in keyof Engines]: Record<string, (context: EngineContext) => Promise<Engines[Port]>>;
};

/** THE TABLE of engines. Nothing outside an engine's folder knows which one runs; each loads only when it is chosen. */
export const ENGINES = {
  log: {
    async sqlite({ path, region, clock, limits, logMaxBytes }) {
      const { openSqliteLog } = await import("../eventlog/sqlite/log.ts");
      const { partitions } = limits;
      return openSqliteLog({
        path: path("log.sqlite"),
        region,
        partitions,
        clock,
        limits,
        maxBytes: logMaxBytes,
      });
    },
  },
  history: {
    async sqlite({ path }) {
      const { openSqliteHistory } = await import("../history/sqlite/history.ts");
      return openSqliteHistory({ path: path("history.sqlite") });
    },
  },
  trips: {
    async sqlite({ path }) {
      const { SqliteTrips } = await import("../trips/sqlite/sqlite-trips.ts");
      return SqliteTrips.open({ path: path("trips.sqlite") });
    },
  },
  latest: {
    async memory({ clock }) {
      const { MemoryLatest } = await import("../latest/memory/memory-latest.ts");
      return new MemoryLatest(clock);
    },
  },
  bus: {
    async memory({ logger }) {
      const { MemoryBus } = await import("../live/memory/memory-bus.ts");
      return new MemoryBus((error) => logger.error({ err: error }, "a listener of the live bus threw"));
    },
  },
  leases: {
    async local({ path, clock, limits }) {
      const { openLocalLeases } = await import("../partitions/local/leases.ts");
      return openLocalLeases({ path: path("epoch"), partitions: limits.partitions, clock });
    },
  },
  snapshots: {
    async local({ path }) {
      const { openFileSnapshots } = await import("../partitions/local/snapshots.ts");
      return openFileSnapshots(path("snapshots"));
    },
  },
} as const satisfies EngineTable;

/** Opens the embedded engines; the stack closes them in reverse order. */
export async function openEngines(stack: AsyncDisposableStack, context: EngineContext): Promise<Engines> {
  return {
    log: stack.use(await ENGINES.log.sqlite(context)),
    history: stack.use(await ENGINES.history.sqlite(context)),
    trips: stack.use(await ENGINES.trips.sqlite(context)),
    latest: stack.use(await ENGINES.latest.memory(context)),
    bus: stack.use(await ENGINES.bus.memory(context)),
    leases: stack.use(await ENGINES.leases.local(context)),
    snapshots: await ENGINES.snapshots.local(context),
  };
}
