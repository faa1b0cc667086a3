import { create } from "@bufbuild/protobuf";
import {
  Freshness,
  type WatchTarget,
  type WatchTripsResponse,
  WatchTripsResponseSchema,
} from "../../gen/bimride/tracking/v1/live_pb.ts";
import { TripStatus } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import type { LiveVersion } from "./live-version.ts";
import { type Transport, type TransportName, WatchFailure, type WatchRequest } from "./transport.ts";

/** One session that a test drives by hand. */
export type FakeSession = {
  targets: WatchTarget[];
  token: string;
  ended: boolean;
  send(message: WatchTripsResponse): void;
  fail(error?: WatchFailure): void;
  close(): void;
};

/** For the tests of the state machine only: a transport whose failures are scripted, which no real server can do. */
export type FakeTransport = Transport & {
  /** `ok`: sessions wait for the test. `refuse`: they fail at once. `hang`: nothing ever comes. */
  mode: "ok" | "refuse" | "hang";
  sessions: FakeSession[];
  refreshes: string[];
  refreshTo: number | undefined;
};

export function fakeTransport(name: TransportName, withRefresh = false): FakeTransport {
  const fake: FakeTransport = {
    name,
    mode: "ok",
    sessions: [],
    refreshes: [],
    refreshTo: undefined,
    async *open(request: WatchRequest) {
      const token = await request.token();
      if (fake.mode === "refuse") throw new WatchFailure("refused");
      const queue: (WatchTripsResponse | WatchFailure | "end")[] = [];
      let wake = () => {};
      const put = (item: WatchTripsResponse | WatchFailure | "end") => {
        queue.push(item);
        wake();
      };
      const session: FakeSession = {
        targets: request.targets,
        token,
        ended: false,
        send: put,
        fail: (error = new WatchFailure("broken")) => put(error),
        close: () => put("end"),
      };
      fake.sessions.push(session);
      request.signal.addEventListener("abort", () => {
        session.ended = true;
        put("end");
      });
      for (;;) {
        const item = queue.shift();
        if (item === "end") return;
        if (item instanceof WatchFailure) throw item;
        if (item && fake.mode !== "hang") yield item;
        if (!item)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
  if (withRefresh)
    fake.refresh = async (_watchId, token) => {
      fake.refreshes.push(token);
      if (fake.refreshTo === undefined) throw new WatchFailure("no refresh");
      return fake.refreshTo;
    };
  return fake;
}

export const version = (sequence: number, generation = 1, index = 0): LiveVersion => ({
  generation,
  sequence: BigInt(sequence),
  index,
});

export const started = (serverTimeMs: number, lifeMs: number) =>
  create(WatchTripsResponseSchema, {
    message: {
      case: "started",
      value: {
        watchId: "w1",
        expiresAtMs: BigInt(serverTimeMs + lifeMs),
        serverTimeMs: BigInt(serverTimeMs),
      },
    },
  });

export const heartbeat = (serverTimeMs = Date.now()) =>
  create(WatchTripsResponseSchema, {
    message: { case: "heartbeat", value: { serverTimeMs: BigInt(serverTimeMs) } },
  });

export const unavailable = (tripId: string, code: string, retryable: boolean) =>
  create(WatchTripsResponseSchema, {
    message: { case: "unavailable", value: { tripId, code, retryable } },
  });

const positionAt = (atMs: number) => ({
  latitudeE7: 577_000_000,
  longitudeE7: 119_700_000,
  capturedAtMs: BigInt(atMs),
});
const fresh = (atMs: number) => ({ freshness: Freshness.LIVE, sinceMs: BigInt(atMs) });

export const snapshot = (tripId: string, of: LiveVersion, atMs = Date.now()) =>
  create(WatchTripsResponseSchema, {
    message: {
      case: "snapshot",
      value: {
        trip: { tripId, status: TripStatus.ENROUTE_TO_PICKUP },
        version: of,
        position: positionAt(atMs),
        freshness: fresh(atMs),
      },
    },
  });

export const update = (tripId: string, of: LiveVersion, atMs = Date.now()) =>
  create(WatchTripsResponseSchema, {
    message: {
      case: "update",
      value: { tripId, version: of, position: positionAt(atMs), freshness: fresh(atMs) },
    },
  });

export const rider = (tripId: string, riderId: string, atMs?: number) =>
  create(WatchTripsResponseSchema, {
    message: {
      case: "rider",
      value: { tripId, riderId, ...(atMs !== undefined && { position: positionAt(atMs) }) },
    },
  });
