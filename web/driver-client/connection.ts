import type { DriverTransportName } from "./transport.ts";

/**
 * How the driver stands with the gateway. `stopped`: not started, or over. `starting`: the first attempt runs.
 * `connected`: the best way works. `fallback`: a better way does not get through. `reconnecting`: it broke just now.
 * `unreachable`: nothing gets through. `offline`: the device says that it has no network. `refused`: the gateway does not
 * take the token. `no-token`: there is none to be had. `superseded`: another device of the driver took over. `revoked`:
 * this device was signed out from elsewhere.
 */
export type DriverConnectionReason =
  | "stopped"
  | "starting"
  | "connected"
  | "fallback"
  | "reconnecting"
  | "unreachable"
  | "offline"
  | "refused"
  | "no-token"
  | "superseded"
  | "revoked";

export type DriverConnection = {
  /** Undefined while there is none. */
  transport: DriverTransportName | undefined;
  reason: DriverConnectionReason;
  /** Since when, device clock, milliseconds since 1970. */
  sinceMs: number;
  /** The same in plain English words, without a full stop. */
  text: string;
};

const TEXTS: Record<DriverConnectionReason, string> = {
  stopped: "Not sending",
  starting: "Connecting",
  connected: "Connected",
  fallback: "Sending in batches, because a connection does not get through here",
  reconnecting: "Connection lost, reconnecting",
  unreachable: "No connection to Bimride, trying again",
  offline: "No network",
  refused: "Your access has expired, asking for a new one",
  "no-token": "No access yet, trying again",
  superseded: "Another phone is driving for you",
  revoked: "This phone was signed out",
};

/** Builds a connection with its words. */
export function describeDriverConnection(
  transport: DriverTransportName | undefined,
  reason: DriverConnectionReason,
  sinceMs: number,
): DriverConnection {
  return { transport, reason, sinceMs, text: TEXTS[reason] };
}
