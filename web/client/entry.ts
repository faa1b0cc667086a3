/** What the npm package of the watcher library exports. */
export type {
  Freshness,
  LiveTrip,
  TrailPoint,
  VehiclePosition,
} from "../../gen/bimride/tracking/v1/live_pb.ts";
export type { Trip, Waypoint } from "../../gen/bimride/tracking/v1/trip_pb.ts";
export type { Connection, ConnectionReason } from "./connection.ts";
export { describeConnection } from "./connection.ts";
export type { Transport, TransportName, WatchRequest } from "./transport.ts";
export { WatchFailure } from "./transport.ts";
export { pollingTransport } from "./transports/polling.ts";
export { connectTransportTo, streamTransport } from "./transports/stream.ts";
export { type OpenSocket, websocketTransport } from "./transports/websocket.ts";
export type { TripState, TripStateChange } from "./trip-book.ts";
export { deviceClock, type WatchClock } from "./watch-clock.ts";
export {
  createWatcher,
  defaultTransports,
  type TripListener,
  type Watcher,
  type WatcherOptions,
} from "./watcher.ts";
