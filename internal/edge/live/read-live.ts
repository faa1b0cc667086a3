import { create } from "@bufbuild/protobuf";
import {
  type GetLiveTripResponse,
  GetLiveTripResponseSchema,
} from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Principal } from "../../auth/principal.ts";
import { BimrideError } from "../../core/errors.ts";
import type { FreshnessLevel } from "../../core/freshness.ts";
import { TRIP_ID_PATTERN } from "../../core/ids.ts";
import type { TripLive } from "../../core/live.ts";
import { isRunning } from "../../core/trip.ts";
import { formatVersion } from "../../core/version.ts";
import type { EdgeDeps } from "../deps.ts";
import { mayWatch, viewOf } from "../redact.ts";
import { liveOfTrip } from "./live-of-trip.ts";
import { freshnessFor, liveTripFor } from "./viewer-trip.ts";

type ReadDeps = Pick<EdgeDeps, "hub" | "tripStore" | "clock" | "limits">;

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
 * @throws NOT_FOUND for those who may not watch it, as for a trip that does not exist; LIVE_ENDED 30 min after its end
 */
export async function readLive(deps: ReadDeps, principal: Principal, tripId: string): Promise<LiveReading> {
  const live = await find(deps, tripId);
  if (!live || !mayWatch(principal, live.trip)) throw new BimrideError("NOT_FOUND");
  const nowMs = deps.clock.now();
  if (live.dropAtMs > 0 && nowMs >= live.dropAtMs) throw new BimrideError("LIVE_ENDED");

  const seesCar = viewOf(live.trip, principal)?.seesCar ?? false;
  const freshness = freshnessFor(live, seesCar, nowMs, deps.limits);
  const message = liveTripFor(live, principal, freshness);
  if (!message) throw new BimrideError("NOT_FOUND");
  const pollAfterMs =
    isRunning(live.trip) && seesCar ? POLL_AFTER_MS[freshness.freshness] : POLL_AFTER_END_MS;
  return {
    response: create(GetLiveTripResponseSchema, { live: message, pollAfterMs }),
    etag: `W/"${formatVersion(live.version)}.${freshness.freshness}.${freshness.reason}"`,
  };
}

async function find({ hub, tripStore, limits }: ReadDeps, tripId: string): Promise<TripLive | undefined> {
  if (!TRIP_ID_PATTERN.test(tripId)) return undefined;
  const live = await hub.read(tripId);
  if (live) return live;
  const trip = await tripStore.get(tripId);
  return trip && liveOfTrip(trip, limits);
}

/** True when an If-None-Match header names the tag. */
export function etagMatches(header: string | undefined, etag: string): boolean {
  if (!header) return false;
  if (header.trim() === "*") return true;
  const weak = etag.replace(/^W\//, "");
  return header.split(",").some((candidate) => candidate.trim().replace(/^W\//, "") === weak);
}
