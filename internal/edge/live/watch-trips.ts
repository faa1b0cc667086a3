import { create } from "@bufbuild/protobuf";
import {
  type WatchTripsRequest,
  type WatchTripsResponse,
  WatchTripsResponseSchema,
} from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Principal } from "../../auth/principal.ts";
import { BimrideError } from "../../core/errors.ts";
import type { Version } from "../../core/version.ts";
import type { EdgeDeps } from "../deps.ts";
import type { EdgeEvents, MessageKind } from "../events.ts";
import { versionOf } from "../wire/live-messages.ts";
import { Alarm } from "./alarm.ts";
import { TripWatch } from "./trip-watch.ts";
import type { ViewerMessage } from "./viewer-trip.ts";
import type { Watch, WatchRegistry, WatchTransport } from "./watch-registry.ts";

export type WatchTripsDeps = Pick<
  EdgeDeps,
  "hub" | "presence" | "latest" | "tripStore" | "clock" | "limits"
> & {
  events: EdgeEvents;
  watches: WatchRegistry;
};

/**
 * The messages of one watch, as live.proto says. Pull the next one only when the one before is on its way: what happens
 * meanwhile is conflated per trip. Ends by itself when no trip of it can be watched any more, and when the signal aborts.
 * @throws FIELD_INVALID, WATCH_TOO_MANY_TRIPS, WATCH_TOO_MANY, TOKEN_EXPIRED, SESSION_REVOKED, DRAINING
 */
export async function* watchTrips(
  deps: WatchTripsDeps,
  principal: Principal,
  request: WatchTripsRequest,
  signal: AbortSignal,
  transport: WatchTransport,
): AsyncGenerator<WatchTripsResponse, void, undefined> {
  const targets = targetsOf(request, deps.limits.maxTripsPerWatch);
  using watch = deps.watches.open(principal, "trips", transport);
  using alarm = new Alarm(deps.clock);
  using trips = new DisposableStack();
  const ring = () => alarm.ring();
  watch.onChange = ring;
  signal.addEventListener("abort", ring, { once: true });
  trips.defer(() => signal.removeEventListener("abort", ring));

  let sentAtMs = deps.clock.monotonic();
  const sent = (message: WatchTripsResponse["message"]) => {
    sentAtMs = deps.clock.monotonic();
    deps.events.messageSent((message.case ?? "heartbeat") as MessageKind);
    return create(WatchTripsResponseSchema, { message });
  };

  yield sent(started(watch, deps.clock.now()));
  let open = targets.map((target) =>
    trips.use(new TripWatch(target, principal, deps, deps.events, { signal, ring })),
  );
  while (open.length > 0 && !signal.aborted) {
    throwIfOver(watch, deps.clock.now());
    let told = false;
    for (const trip of open) {
      const next = trip.take(deps.clock.now());
      if (!next) continue;
      told = true;
      observe(next, deps);
      yield sent(next.message as WatchTripsResponse["message"]);
      if (signal.aborted) return;
    }
    if (told) {
      open = open.filter((trip) => !trip.over);
      continue;
    }
    const quietMs = deps.clock.monotonic() - sentAtMs;
    if (quietMs >= deps.limits.heartbeatMs) {
      yield sent(heartbeat(deps.clock.now()));
      continue;
    }
    const dueAtMs = Math.min(watch.expiresAtMs, ...open.map((trip) => trip.dueAtMs));
    await alarm.sleep(Math.min(dueAtMs - deps.clock.now(), deps.limits.heartbeatMs - quietMs));
  }
}

/** The trips asked for, each once. */
function targetsOf(
  request: WatchTripsRequest,
  maxTrips: number,
): { tripId: string; resumeAfter: Version | undefined }[] {
  const { targets } = request;
  if (targets.length === 0) throw new BimrideError("FIELD_INVALID", "Name a trip.", { field: "targets" });
  if (targets.length > maxTrips)
    throw new BimrideError("WATCH_TOO_MANY_TRIPS", undefined, { field: "targets" });
  const byId = new Map(targets.map(({ tripId, resumeAfter }) => [tripId, versionOf(resumeAfter)]));
  return [...byId].map(([tripId, resumeAfter]) => ({ tripId, resumeAfter }));
}

function throwIfOver(watch: Watch, nowMs: number): void {
  if (watch.endedBy) throw watch.endedBy;
  if (nowMs >= watch.expiresAtMs) throw new BimrideError("TOKEN_EXPIRED");
}

function observe({ position }: ViewerMessage, { events, clock }: WatchTripsDeps): void {
  if (position) events.positionSent(position, clock.now());
}

function started(watch: Watch, nowMs: number): WatchTripsResponse["message"] {
  return {
    case: "started",
    value: {
      $typeName: "bimride.tracking.v1.WatchStarted",
      watchId: watch.id,
      expiresAtMs: BigInt(watch.expiresAtMs),
      serverTimeMs: BigInt(Math.round(nowMs)),
    },
  };
}

function heartbeat(nowMs: number): WatchTripsResponse["message"] {
  return {
    case: "heartbeat",
    value: { $typeName: "bimride.tracking.v1.Heartbeat", serverTimeMs: BigInt(Math.round(nowMs)) },
  };
}
