import type { TransportName } from "./transport.ts";

/**
 * Why the connection is as it is. `starting`: the first attempt runs. `connected`: the best way works. `fallback`: a
 * better way does not get through. `reconnecting`: it broke just now. `unreachable`: nothing gets through. `refused`:
 * the server does not take the token. `no-token`: there is none to be had. `finished`: nothing is left to watch.
 */
export type ConnectionReason =
  | "starting"
  | "connected"
  | "fallback"
  | "reconnecting"
  | "unreachable"
  | "refused"
  | "no-token"
  | "finished";

/** How this client hears of its trips. */
export type Connection = {
  transport: TransportName | "offline";
  /** Since when, device clock, milliseconds since 1970. */
  sinceMs: number;
  reason: ConnectionReason;
  /** The same in plain English words, without a full stop. */
  text: string;
};

const OFFLINE_TEXTS: Record<ConnectionReason, string> = {
  starting: "Connecting",
  connected: "Connecting",
  fallback: "Connecting",
  reconnecting: "Connection lost, reconnecting",
  unreachable: "No connection to Bimride, trying again",
  refused: "Your access has expired, asking for a new one",
  "no-token": "No access yet, trying again",
  finished: "Live updates have ended",
};

const ONLINE_TEXTS: Record<TransportName, string> = {
  stream: "Live updates",
  websocket: "Live updates over WebSocket",
  polling: "Asking every few seconds, because live updates do not get through here",
};

/** Builds a connection with its words. */
export function describeConnection(
  transport: Connection["transport"],
  reason: ConnectionReason,
  sinceMs: number,
): Connection {
  const text = transport === "offline" ? OFFLINE_TEXTS[reason] : ONLINE_TEXTS[transport];
  return { transport, sinceMs, reason, text };
}
