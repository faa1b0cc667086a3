import { create } from "@bufbuild/protobuf";
import {
  type GetLiveTripResponse,
  GetLiveTripResponseSchema,
} from "../../../gen/bimride/tracking/v1/live_pb.ts";
import { type Principal, userKeyOf } from "../../auth/principal.ts";
import { BimrideError } from "../../core/errors.ts";
import type { FreshnessLevel } from "../../core/freshness.ts";
import { TRIP_ID_PATTERN } from "../../core/ids.ts";
import type { RiderPlace, TripLive } from "../../core/live.ts";
import { isRunning } from "../../core/trip.ts";
import { formatVersion } from "../../core/version.ts";
import type { EdgeDeps } from "../deps.ts";
import { mayWatch, viewOf } from "../redact.ts";
import { riderMessage } from "../wire/live-messages.ts";
import { liveOfTrip, lossOf } from "./live-of-trip.ts";
import { freshnessFor, liveTripFor } from "./viewer-trip.ts";

type ReadDeps = Pick<EdgeDeps, "hub" | "presence" | "latest" | "tripStore" | "clock" | "limits">;

/** When asking again makes sense: about one interval of a car that sends; rarer the less there is to expect. */
const POLL_AFTER_MS: Record<FreshnessLevel, number> = {
  live: 3_000,
  delayed: 3_000,
  stale: 5_000,
  lost: 10_000,
  none: 5_000,
};
const POLL_AFTER_END_MS = 60_000;

/** @property etag of all that the answer says but the time to ask again; the same for the same viewer and state */
export type LiveReading = { response: GetLiveTripResponse; etag: string };

/**
 * The state of a trip now.
 * @throws NOT_FOUND for those who may not watch it, as for a trip that does not exist; LIVE_ENDED 30 min after its end;
 * STORE_UNAVAILABLE when the latest store can't be reached, or has lost the state and gets it anew
 */
export async function readLive(deps: ReadDeps, principal: Principal, tripId: string): Promise<LiveReading> {
  const known = TRIP_ID_PATTERN.test(tripId) ? await deps.hub.read(tripId) : undefined;
  const live = known ?? (await alone(deps, tripId));
  if (!live || !mayWatch(principal, live.trip)) throw new BimrideError("NOT_FOUND");
  const nowMs = deps.clock.now();
  if (live.dropAtMs > 0 && nowMs >= live.dropAtMs) throw new BimrideError("LIVE_ENDED");
  const loss = known ? undefined : await lossOf(live.trip, deps.latest);
  if (loss) throw loss;

  const seesCar = viewOf(live.trip, principal)?.seesCar ?? false;
  if (seesCar) deps.presence.look(userKeyOf(principal), live.trip);
  const freshness = freshnessFor(live, seesCar, nowMs, deps.limits);
  const message = liveTripFor(live, principal, freshness);
  if (!message) throw new BimrideError("NOT_FOUND");
  // The answer is what mayWatch lets through: a driver reads their own trip only.
  const riders = principal.role === "driver" ? await deps.hub.readRiders(live.trip) : [];
  message.riders = riders.map(riderMessage);
  const pollAfterMs =
    isRunning(live.trip) && seesCar ? POLL_AFTER_MS[freshness.freshness] : POLL_AFTER_END_MS;
  return {
    response: create(GetLiveTripResponseSchema, { live: message, pollAfterMs }),
    etag: `W/"${formatVersion(live.version)}.${freshness.freshness}.${freshness.reason}${tagOf(riders)}"`,
  };
}

/** They have no part in the version; who they are does, as it comes from the trip. */
function tagOf(riders: readonly RiderPlace[]): string {
  return riders.map(({ position }) => `.${position?.capturedAtMs}`).join("");
}

async function alone({ tripStore, limits }: ReadDeps, tripId: string): Promise<TripLive | undefined> {
  const trip = TRIP_ID_PATTERN.test(tripId) ? await tripStore.get(tripId) : undefined;
  return trip && liveOfTrip(trip, limits);
}

/** True when an If-None-Match header names the tag. */
export function etagMatches(header: string | undefined, etag: string): boolean {
  if (!header) return false;
  if (header.trim() === "*") return true;
  const weak = etag.replace(/^W\//, "");
  return header.split(",").some((candidate) => candidate.trim().replace(/^W\//, "") === weak);
}
