import type { AssignmentEnd } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { Trip } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import type { DriverConnection } from "./connection.ts";

/** How often the gateway wants positions, how accurate, and why (a code of the table in docs/API.md). */
export type WantedRate = {
  intervalMs: number;
  accuracy: "any" | "low" | "balanced" | "high";
  reason: string;
};

/** What holds until a gateway says otherwise. */
export const RATE_BEFORE_WELCOME: WantedRate = { intervalMs: 4_000, accuracy: "high", reason: "" };

/** What the driver is to do. */
export type DriverAssignment = {
  /** Rises with every change. */
  version: bigint;
  /** Undefined when there is none. It is an offer while its status is NEW. */
  trip: Trip | undefined;
  /** How the trip before came to be gone, where that is known. */
  ended: AssignmentEnd | undefined;
};

/** Everything an app shows. A new object with every change. */
export type DriverState = {
  connection: DriverConnection;
  /** Positions that are not known to be durable. */
  unsent: number;
  /** Positions that were settled since the start: durable, or refused for good. */
  settled: number;
  /** Positions that were refused for good since the start. */
  refused: number;
  /** Positions that the full buffer lost since the start. */
  dropped: number;
  wantedRate: WantedRate;
  /** Undefined until a gateway has told. */
  assignment: DriverAssignment | undefined;
  /** Set while another device has taken over, or this one was signed out (`connection.reason` says which): from when on takeOver() may be tried, device clock. */
  superseded: { takeOverAfterMs: number } | undefined;
  /** False when unsent positions would not outlive the page or process. */
  isPersistent: boolean;
};
