import { create } from "@bufbuild/protobuf";
import {
  type ListTripEventsRequest,
  type ListTripEventsResponse,
  ListTripEventsResponseSchema,
  type TripEvent as TripEventMessage,
  TripEventSchema,
} from "../../../gen/bimride/tracking/v1/history_pb.ts";
import type { Principal } from "../../auth/principal.ts";
import type { TripEvent } from "../../history/history.ts";
import { pageSizeOf, pageToken, placeOf } from "../page-token.ts";
import { phaseMessage, summaryMessage } from "../wire/track-messages.ts";
import { type RecordDeps, readableTrip } from "./get-track.ts";

const STANDARD_PAGE = 200;
const LARGEST_PAGE = 1_000;

/**
 * A page of what happened on a trip. Riders are not told who drove before or after: only support and the driver are.
 * @throws NOT_FOUND, FIELD_INVALID, PAGE_TOKEN_INVALID, STORE_UNAVAILABLE
 */
export async function listTripEvents(
  deps: RecordDeps,
  principal: Principal,
  request: Pick<ListTripEventsRequest, "tripId" | "pageSize" | "pageToken">,
): Promise<ListTripEventsResponse> {
  const { tripId } = await readableTrip(deps, principal, request.tripId);
  const pageSize = pageSizeOf(request.pageSize, STANDARD_PAGE, LARGEST_PAGE);
  const scope = `events ${tripId}`;
  const place = placeOf(scope, request.pageToken, ["number", "string"] as const);
  const after = place && { atMs: place[0], key: place[1] };

  const rows = await deps.history.events(tripId, pageSize + 1, after);
  const events = rows.slice(0, pageSize);
  const last = events.at(-1);
  const nextPageToken = rows.length > pageSize && last ? pageToken(scope, [last.atMs, last.key]) : "";
  const followedAtMs = await nextStatusAtMs(deps, tripId, rows, last);
  const response = create(ListTripEventsResponseSchema, { nextPageToken });
  response.events = events
    .map((event, i) => eventMessage(event, endOf(rows, i, followedAtMs)))
    .filter((message) => principal.role !== "rider" || message.event.case !== "driverId");
  return response;
}

function isStatus(event: TripEvent): boolean {
  return event.kind === "status";
}

/** When the phase of a row ended: at the next status, 0 when there is none. */
function endOf(rows: readonly TripEvent[], index: number, followedAtMs: number): number {
  return rows.slice(index + 1).find(isStatus)?.atMs ?? followedAtMs;
}

/** Time of the first status after the rows at hand; 0 when there is none. */
async function nextStatusAtMs(
  { history }: RecordDeps,
  tripId: string,
  rows: readonly TripEvent[],
  lastOfPage: TripEvent | undefined,
): Promise<number> {
  let last = rows.at(-1);
  if (!last || last === lastOfPage) return 0;
  for (;;) {
    const more: TripEvent[] = await history.events(tripId, LARGEST_PAGE, { atMs: last.atMs, key: last.key });
    const status = more.find(isStatus);
    if (status || more.length < LARGEST_PAGE) return status?.atMs ?? 0;
    last = more.at(-1)!;
  }
}

function eventMessage(event: TripEvent, toMs: number): TripEventMessage {
  const atMs = BigInt(Math.round(event.atMs));
  switch (event.kind) {
    case "status": {
      const value = phaseMessage({ status: event.status, source: event.source, fromMs: event.atMs, toMs });
      return create(TripEventSchema, { atMs, event: { case: "status", value } });
    }
    case "driver":
      return create(TripEventSchema, { atMs, event: { case: "driverId", value: event.driverId } });
    case "settled": {
      const value = summaryMessage({ ...event, settledAtMs: event.atMs });
      return create(TripEventSchema, { atMs, event: { case: "settled", value } });
    }
  }
}
