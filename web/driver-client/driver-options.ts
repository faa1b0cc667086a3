import type { Problem } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { OpenSocket } from "../client/transports/websocket.ts";
import type { WatchClock } from "../client/watch-clock.ts";
import type { DriverAssignment, WantedRate } from "./driver-state.ts";
import type { FixStore } from "./fix-store.ts";
import type { LinkTimes } from "./link.ts";
import type { GatewayAddress, LocateGateways } from "./locate.ts";
import type { CapturedFix } from "./position.ts";
import type { DriverTransport } from "./transport.ts";
import { httpTransport } from "./transports/http.ts";
import { hasWebSocket, websocketTransport } from "./transports/websocket.ts";

export type DriverOptions = {
  /** A gateway that is known anyway, e.g. `https://track.example.com`; with `locate` the one to fall back to. */
  baseUrl: string;
  /** Gives a fresh token; called again before one expires and after one is refused. */
  token: () => Promise<string>;
  /** Where unsent positions are kept: `memoryStore()`, or in a browser `await openIndexedDbStore(name)`. */
  store: FixStore;
  /** Positions kept at most, 100 or more; 20,000 by default. When there are more, of the older half of them every second one is lost. */
  maxFixes?: number;
  /** Own name of the device, at most 64 characters. */
  deviceId?: string;
  /** At most 64 characters. */
  appVersion?: string;
  /** Asks which gateway to use, e.g. `locateGatewaysAt(baseUrl)`; off by default. Pages need the gateways' leave and their own security policy's. */
  locate?: LocateGateways;
  /** Ways to a gateway, best first; WebSocket, then batches by HTTPS, by default. */
  transportsTo?: (gateway: GatewayAddress) => readonly DriverTransport[];
  /** Where the platform has no WebSocket (Node before 22): `(url, protocols) => new WebSocket(url, protocols)` of the package `ws`. */
  openSocket?: OpenSocket;
  times?: Partial<LinkTimes>;
  clock?: WatchClock;
  /** Numbers from 0 up to, not including, 1. */
  random?: () => number;
} & DriverListeners;

/** What an app may want to be told. Nothing is called after stop() resolved. */
export type DriverListeners = {
  /** Once per version. */
  onAssignment?(assignment: DriverAssignment): void;
  /** When it is another one. */
  onWantedRate?(rate: WantedRate): void;
  /** A gateway could not take a message. */
  onProblem?(problem: Problem): void;
  /** A position was refused for good: a code of docs/ERRORS.md and the field at fault. It is forgotten. */
  onRefused?(fix: CapturedFix, reason: string, field: string): void;
  /** So many positions were lost because the buffer was full. */
  onDropped?(count: number): void;
  /** Unsent positions can't be written down any more: they are lost when the page or process ends. */
  onStoreFailed?(error: unknown): void;
};

/** Times that suit a phone; see {@link LinkTimes}. A dead connection is noticed within 20 s. */
export const DEFAULT_LINK_TIMES: LinkTimes = {
  connectTimeoutMs: 5_000,
  heartbeatMs: 10_000,
  answerTimeoutMs: 10_000,
};

export const DEFAULT_MAX_FIXES = 20_000;
export const MIN_MAX_FIXES = 100;

/** The usual ways to a gateway: WebSocket where there is one, then HTTPS. */
export function defaultDriverTransports(
  { httpUrl }: GatewayAddress,
  openSocket: OpenSocket | undefined,
): DriverTransport[] {
  if (!URL.canParse(httpUrl)) return [];
  const websocket = openSocket || hasWebSocket() ? [websocketTransport(httpUrl, openSocket)] : [];
  return [...websocket, httpTransport(httpUrl)];
}
