import type { BimrideError, ErrorCode } from "../core/errors.ts";
import type { DeviceState, FixSource } from "../core/fix.ts";
import type { LatLon } from "../core/geo.ts";
import type { Trip, TripActionKind } from "../core/trip.ts";
import type { WantedRate } from "./wanted-rate.ts";

/**
 * A fix as a device sent it, before validation. What the device left out is undefined; what it sent is kept as it is,
 * NaN and infinities included, so that validation can refuse it by name.
 */
export type FixInput = {
  seq: number;
  /** Device clock at capture, milliseconds since 1970. */
  capturedAtMs: number;
  latDeg: number | undefined;
  lonDeg: number | undefined;
  accuracyM: number | undefined;
  speedMps: number | undefined;
  headingDeg: number | undefined;
  altitudeM: number | undefined;
  source: FixSource;
  mock: boolean;
};

/** Opens a session. */
export type HelloInput = {
  sessionId: string;
  /** The party that the client names; undefined when it leaves that to the token. `kind` "" when it is not one we know. */
  party: { kind: string; id: string } | undefined;
  deviceId: string;
  appVersion: string;
  /** Device clock when the message was made, milliseconds since 1970; 0 when unknown. */
  deviceTimeMs: number;
  /** What the last Welcome, Move or batch answer named; empty for none. May be a name that is no region. */
  lastRegion: string;
  position: LatLon | undefined;
  deviceState: DeviceState | undefined;
};

/** Fixes that came in one message. */
export type BatchInput = {
  fixes: FixInput[];
  /** Device clock when the message was made, milliseconds since 1970; 0 when unknown. */
  deviceTimeMs: number;
  /** Chosen by the client, echoed in the Ack. */
  batchId: number;
  /** Version of the assignment that the client knows; 0 when none. */
  assignmentVersion: number;
};

/** Client to server. */
export type ClientMessage =
  | ({ kind: "hello" } & HelloInput)
  | ({ kind: "fixes" } & BatchInput)
  | { kind: "deviceState"; state: DeviceState }
  | { kind: "tokenRefresh"; token: string }
  | ({ kind: "tripAction"; actionId: number } & TripAction)
  | ({ kind: "locationSharing"; actionId: number } & LocationSharing)
  | Undecodable;

/**
 * A driver does something on their trip.
 * @property action undefined when it is none that we know; @property waypointIndex undefined for the current one
 */
export type TripAction = {
  tripId: string;
  action: TripActionKind | undefined;
  waypointIndex: number | undefined;
};

/** A rider lets their trip's driver see where they are until the pickup, or no longer. */
export type LocationSharing = { tripId: string; granted: boolean };

/** What came was no message. @property batchId the batch at fault, where that much could be read, else 0 */
export type Undecodable = { kind: "undecodable"; error: BimrideError; batchId: number };

/** What became of a fix. BUFFERED is in the gateway's own spool; without one the verdict is withheld instead. */
export const VERDICT_CODES = [
  "ACCEPTED",
  "BUFFERED",
  "DUPLICATE",
  "LATE",
  "INVALID",
  "RATE_LIMITED",
] as const;
export type VerdictCode = (typeof VERDICT_CODES)[number];

/** @property reason code of the error vocabulary for INVALID, else empty; @property field the field at fault, else empty */
export type Verdict = { seq: number; code: VerdictCode; reason: ErrorCode | ""; field: string };

/** Answer to a batch: one verdict per distinct seq. */
export type Ack = {
  batchId: number;
  verdicts: Verdict[];
  receivedAtMs: number;
  /** With RATE_LIMITED verdicts: wait at least this long before sending those again, milliseconds; else 0. */
  retryAfterMs: number;
  /** Of the assignment as the gateway knows it; 0 while it knows none. */
  assignmentVersion: number;
};

/** What the driver is to do, whole. @property ended how the trip before it came to be gone, as far as known */
export type Assignment = { version: number; trip: Trip | undefined; ended: AssignmentEnd | undefined };

/** Why a driver has a trip no more, in the order of their numbers in the contract, from 1. */
export const ASSIGNMENT_ENDS = ["canceled", "complete", "reassigned"] as const;
export type AssignmentEnd = {
  tripId: string;
  reason: (typeof ASSIGNMENT_ENDS)[number];
  cancelReason: string;
};

/** Answer to Hello. */
export type Welcome = {
  sessionEpoch: number;
  serverTimeMs: number;
  region: string;
  assignment: Assignment;
  wantedRate: WantedRate;
  /** Largest durable seq of the session that this gateway knows; undefined when it knows none. */
  resumeAfterSeq: number | undefined;
  clockOffsetMs: number;
};

/** Answer to a batch without a stream. @property region of the party, to be named in the next Hello */
export type BatchAnswer = { ack: Ack; wantedRate: WantedRate; region: string };

/** Another session took over. @property retryAfterMs take-overs are refused for so long, because both insist; else 0 */
export type Superseded = { sessionEpoch: number; retryAfterMs: number };

/** Answer to a TripAction or a LocationSharing. @property code empty when it is done, or was done already */
export type ActionResult = {
  actionId: number;
  code: ErrorCode | "";
  message: string;
  retryable: boolean;
};

/** A message that could not be taken. */
export type Problem = {
  code: ErrorCode;
  message: string;
  field: string;
  /** The batch at fault; 0 where none is. */
  batchId: number;
  retryable: boolean;
};

/** Server to client. */
export type ServerMessage =
  | ({ kind: "welcome" } & Welcome)
  | ({ kind: "ack" } & Ack)
  | ({ kind: "assignment" } & Assignment)
  | ({ kind: "wantedRate" } & WantedRate)
  | ({ kind: "superseded" } & Superseded)
  | { kind: "drain"; reconnectWithinMs: number }
  | { kind: "move"; region: string }
  | { kind: "tokenRefreshRequest"; expiresAtMs: number }
  | ({ kind: "actionResult" } & ActionResult)
  | ({ kind: "problem" } & Problem);
