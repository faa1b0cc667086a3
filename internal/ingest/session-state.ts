import { type DeviceState, type Party, partyKey } from "../core/fix.ts";
import { partitionOf } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import { SeqIntervals } from "../core/seq-intervals.ts";
import type { Appender } from "./appender.ts";
import { BufferedSeqs } from "./buffered-seqs.ts";
import { ClockOffset } from "./clock-offset.ts";
import type { Home } from "./homes.ts";
import type { AssignmentEnd, HelloInput } from "./messages.ts";
import { TokenBucket } from "./token-bucket.ts";

/** What the gateway knows of a session; outlives its streams, so that a reconnect keeps its place. */
export type SessionState = {
  readonly party: Party;
  /** `driver/ID`. */
  readonly partyKey: string;
  /** Where it belongs now; {@link enterHome} changes it together with the next two. */
  region: string;
  /** Where its records go: the one of its region. */
  appender: Appender;
  partition: number;
  readonly sessionId: string;
  /** Which session may move the marker. Changes only when a superseded session takes over again. */
  sessionEpoch: number;
  /** It came by batches only, while another session had a stream. */
  staysBehind: boolean;
  deviceId: string;
  appVersion: string;
  /** Fixes that the log has, as far as remembered. */
  readonly durable: SeqIntervals;
  /** Fixes that wait in this gateway's spool for the log. */
  readonly buffered: BufferedSeqs;
  /** Fixes on their way into the log or the spool: what settles when their entry does. At most maxPendingFixesPerSession. */
  readonly pending: Map<number, Promise<unknown>>;
  readonly clockOffset: ClockOffset;
  readonly bucket: TokenBucket;
  /** False while its SessionOpened record is not on its way into the log. */
  announced: boolean;
  /** The last device state put into the log, as JSON; repeats are not written. */
  deviceStateJson: string;
  /** Version of the last assignment; only rises. 0 before the first. */
  assignmentVersion: number;
  /** Which trip in which version that assignment told of; undefined before the first, null when it told of none. */
  assigned: { tripId: string; version: number } | null | undefined;
  /** How the trip before came to be gone, as far as known. */
  assignmentEnd: AssignmentEnd | undefined;
  /** Capture time (device clock) of the newest fix whose place was looked at for its region. */
  placedAtMs: number;
};

/** A session that this gateway meets for the first time. */
export function newSessionState(
  party: Party,
  hello: HelloInput,
  sessionEpoch: number,
  home: Home,
  nowMs: number,
  limits: Limits,
): SessionState {
  return {
    party,
    partyKey: partyKey(party),
    region: home.region,
    appender: home.appender,
    partition: partitionOf(party, home.appender.partitions),
    sessionId: hello.sessionId,
    sessionEpoch,
    staysBehind: false,
    deviceId: hello.deviceId,
    appVersion: hello.appVersion,
    durable: new SeqIntervals(limits.maxDedupeIntervals),
    buffered: new BufferedSeqs(limits.maxDedupeIntervals),
    pending: new Map(),
    clockOffset: new ClockOffset(limits),
    bucket: new TokenBucket(limits.maxFixesPerSecondPerSession, limits.maxFixBurstPerSession, nowMs),
    announced: false,
    deviceStateJson: "",
    assignmentVersion: 0,
    assigned: undefined,
    assignmentEnd: undefined,
    placedAtMs: Number.NEGATIVE_INFINITY,
  };
}

/** The session's records go to the region's log from now on, where nothing is known of it yet. What is under way stays. */
export function enterHome(state: SessionState, { region, appender }: Home): void {
  state.region = region;
  state.appender = appender;
  state.partition = partitionOf(state.party, appender.partitions);
  state.announced = false;
  state.deviceStateJson = "";
}

/** The state as a comparable text. */
export function deviceStateJson(state: DeviceState): string {
  return JSON.stringify(Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1)));
}
