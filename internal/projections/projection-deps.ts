import type { Logger } from "pino";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { Lease } from "../partitions/lease.ts";
import type { Snapshots } from "../partitions/snapshots.ts";
import type { ProjectionEvents } from "./events.ts";

/** What a projection works with. */
export type ProjectionDeps = {
  log: EventLog;
  snapshots: Snapshots;
  clock: Clock;
  limits: Limits;
  logger: Logger;
  /** This process's lease of the partition, while it has one: nothing is written for a partition without. */
  lease(partition: number): Lease | undefined;
  events?: ProjectionEvents;
};
