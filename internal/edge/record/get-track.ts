import { create } from "@bufbuild/protobuf";
import {
  type GetTrackRequest,
  type GetTrackResponse,
  GetTrackResponseSchema,
  type TrackPoint,
  TrackView,
} from "../../../gen/bimride/tracking/v1/history_pb.ts";
import type { Principal } from "../../auth/principal.ts";
import { BimrideError } from "../../core/errors.ts";
import { TRIP_ID_PATTERN } from "../../core/ids.ts";
import type { Trip } from "../../core/trip.ts";
import type { RecordedFix, TripFinal } from "../../history/history.ts";
import type { EdgeDeps } from "../deps.ts";
import { pageSizeOf, pageToken, placeOf } from "../page-token.ts";
import { mayReadRecord } from "../redact.ts";
import { finalPoint, recordedPoint, summaryMessage } from "../wire/track-messages.ts";
import { intervalsOf } from "./intervals.ts";
import { leftAtMs } from "./left-at.ts";

export type RecordDeps = Pick<EdgeDeps, "history" | "tripStore" | "limits">;

const STANDARD_PAGE = 1_000;

/**
 * A page of a trip's track; for a rider of a shared trip up to where they left the car.
 * @throws NOT_FOUND, FIELD_INVALID, PAGE_TOKEN_INVALID, NOT_SETTLED, STORE_UNAVAILABLE
 */
export async function getTrack(
  deps: RecordDeps,
  principal: Principal,
  request: Pick<GetTrackRequest, "tripId" | "view" | "pageSize" | "pageToken">,
): Promise<GetTrackResponse> {
  const view = checkedView(request.view);
  const trip = await readableTrip(deps, principal, request.tripId);
  const pageSize = pageSizeOf(request.pageSize, STANDARD_PAGE, deps.limits.maxPageSize);
  const untilMs = await leftAtMs(deps.history, trip, principal);
  return view === TrackView.FINAL
    ? finalPage(deps, trip, untilMs, pageSize, request.pageToken)
    : recordedPage(deps, trip, untilMs, pageSize, request.pageToken);
}

/** The trip whose record the principal may read. Throws NOT_FOUND for everybody else. */
export async function readableTrip(deps: RecordDeps, principal: Principal, tripId: string): Promise<Trip> {
  const trip = TRIP_ID_PATTERN.test(tripId) ? await deps.tripStore.get(tripId) : undefined;
  if (!trip || !mayReadRecord(principal, trip)) throw new BimrideError("NOT_FOUND");
  return trip;
}

function checkedView(view: TrackView): TrackView {
  if (view === TrackView.FINAL || view === TrackView.RECORDED) return view;
  if (view === TrackView.UNSPECIFIED) return TrackView.RECORDED;
  throw new BimrideError("FIELD_INVALID", "The view is not one of a track's.", { field: "view" });
}

/** Goes through the intervals in order; the place is the interval and the last fix of it that was given. */
async function recordedPage(
  { history }: RecordDeps,
  trip: Trip,
  untilMs: number,
  pageSize: number,
  token: string,
): Promise<GetTrackResponse> {
  const scope = `track ${trip.tripId} recorded`;
  const place = placeOf(scope, token, ["number", "number", "string", "number"] as const);
  const intervals = intervalsOf(trip);
  const points: TrackPoint[] = [];
  let after = place && { atMs: place[1], sessionId: place[2], seq: place[3] };
  for (let i = place?.[0] ?? 0; i < intervals.length; i++) {
    const { party, fromMs, toMs: endMs } = intervals[i]!;
    const toMs = Math.min(endMs, untilMs);
    if (toMs < fromMs) break;
    const limit = pageSize - points.length + 1;
    const fixes = await history.track({ party, fromMs, toMs, limit, ...(after ? { after } : {}) });
    const taken = fixes.slice(0, limit - 1);
    for (const fix of taken) points.push(recordedPoint(party, fix));
    if (fixes.length === limit) {
      const last = taken.at(-1);
      const [atMs, sessionId, seq] = last
        ? placeOfFix(last)
        : after
          ? [after.atMs, after.sessionId, after.seq]
          : START;
      return page(points, pageToken(scope, [i, atMs, sessionId, seq]));
    }
    after = undefined;
  }
  return page(points, "");
}

/** Before every fix: session ids are not empty. */
const START: readonly [number, string, number] = [-1, "", -1];

function placeOfFix(fix: RecordedFix): readonly [number, string, number] {
  return [fix.capturedAtMs + fix.clockOffsetMs, fix.sessionId, fix.seq];
}

/** The place is the revision and how many points were given: an amended record starts anew. */
async function finalPage(
  { history }: RecordDeps,
  trip: Trip,
  untilMs: number,
  pageSize: number,
  token: string,
): Promise<GetTrackResponse> {
  const scope = `track ${trip.tripId} final`;
  const place = placeOf(scope, token, ["number", "number"] as const);
  const final = await history.final(trip.tripId);
  if (!final) throw new BimrideError("NOT_SETTLED");
  const from = place ? placeIn(final, place) : 0;
  const to = from + pageSize;
  const track = final.track.filter((point) => point.capturedAtMs + point.clockOffsetMs <= untilMs);
  const points = track.slice(from, to).map(finalPoint);
  const next = to < track.length ? pageToken(scope, [final.revision, to]) : "";
  const response = page(points, next);
  response.summary = summaryMessage(final);
  return response;
}

function placeIn(final: TripFinal, [revision, offset]: readonly [number, number]): number {
  if (revision !== final.revision) {
    throw new BimrideError(
      "PAGE_TOKEN_INVALID",
      "The record was amended since the page before: start again.",
    );
  }
  return offset;
}

function page(points: TrackPoint[], nextPageToken: string): GetTrackResponse {
  const response = create(GetTrackResponseSchema, { nextPageToken });
  response.points = points;
  return response;
}
