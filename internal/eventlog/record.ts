import type { DeviceState, FixBatch, Party } from "../core/fix.ts";
import type { Trip } from "../core/trip.ts";

/** A record of the log as the pipeline sees it (codec.ts turns entries into these). */
export type LogRecord =
  | ({ kind: "fixBatch" } & FixBatch)
  | {
      kind: "sessionOpened";
      party: Party;
      sessionId: string;
      sessionEpoch: number;
      receivedAtMs: number;
      deviceId: string;
      appVersion: string;
      transport: string;
      /** True when the record tells of the session's end (its stream closed). */
      closed: boolean;
      /** With `closed`: the stream broke, the client did not say goodbye. */
      lost: boolean;
    }
  | {
      kind: "deviceState";
      party: Party;
      sessionId: string;
      sessionEpoch: number;
      receivedAtMs: number;
      state: DeviceState;
    }
  | { kind: "tripChange"; receivedAtMs: number; trip: Trip }
  | { kind: "vehicleChange"; receivedAtMs: number; driverId: string; attributes: Record<string, string> }
  | { kind: "erased"; receivedAtMs: number; party: Party }
  | { kind: "tick"; receivedAtMs: number };

/** What one append carries. */
export type EntryContent = { region: string; traceparent: string; records: LogRecord[] };
