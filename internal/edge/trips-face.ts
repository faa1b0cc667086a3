import { create } from "@bufbuild/protobuf";
import {
  type CreateTripRequest,
  type ListTripsRequest,
  type ListTripsResponse,
  ListTripsResponseSchema,
  type SetTripStatusRequest,
  type Trip as TripMessage,
  type UpdateTripRequest,
} from "../../gen/bimride/tracking/v1/trip_pb.ts";
import type { Principal } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import { ID_PATTERN, TRIP_ID_PATTERN } from "../core/ids.ts";
import type { Trip } from "../core/trip.ts";
import type { TripFilter } from "../trips/trips.ts";
import type { EdgeDeps } from "./deps.ts";
import { pageSizeOf, pageToken, placeOf } from "./page-token.ts";
import { viewOf } from "./redact.ts";
import { newTripOf, safeNumber, tripChangesOf, tripMessage, tripStatusOf } from "./wire/trip-messages.ts";

const STANDARD_PAGE = 50;
const LARGEST_PAGE = 200;

/** TripService in messages, for Connect and REST alike: the use-cases decide, answers are reduced to what the caller may see. */
export type TripsFace = ReturnType<typeof tripsFace>;

export function tripsFace({ trips }: Pick<EdgeDeps, "trips">) {
  return {
    create: async (principal: Principal, request: CreateTripRequest) =>
      shown(await trips.createTrip(principal, newTripOf(request)), principal),
    get: async (principal: Principal, tripId: string) =>
      shown(await trips.getTrip(principal, known(tripId)), principal),
    update: async (principal: Principal, request: UpdateTripRequest) => {
      const ifVersion = safeNumber(request.ifVersion, "if_version");
      const changes = tripChangesOf(request);
      return shown(await trips.updateTrip(principal, known(request.tripId), changes, ifVersion), principal);
    },
    setStatus: async (principal: Principal, request: SetTripStatusRequest) => {
      const status = tripStatusOf(request.status);
      const ifVersion = safeNumber(request.ifVersion, "if_version");
      return shown(await trips.setStatus(principal, known(request.tripId), status, ifVersion), principal);
    },
    cancel: async (principal: Principal, tripId: string, reason: string) =>
      shown(await trips.cancel(principal, known(tripId), reason), principal),
    setLocationSharing: async (principal: Principal, tripId: string, granted: boolean) =>
      shown(await trips.shareLocation(principal, known(tripId), granted), principal),
    list: (principal: Principal, request: ListTripsRequest) => list(trips, principal, request),
  };
}

async function list(
  trips: EdgeDeps["trips"],
  principal: Principal,
  request: ListTripsRequest,
): Promise<ListTripsResponse> {
  const { riderId, driverId, runningOnly } = request;
  const filter: TripFilter = { runningOnly };
  if (riderId) filter.riderId = checkedId(riderId, "rider_id");
  if (driverId) filter.driverId = checkedId(driverId, "driver_id");
  const pageSize = pageSizeOf(request.pageSize, STANDARD_PAGE, LARGEST_PAGE);
  const scope = `trips ${principal.role} ${principal.subject} ${riderId} ${driverId} ${runningOnly}`;
  const after = placeOf(scope, request.pageToken, ["string"] as const)?.[0] ?? "";

  const found = await trips.list(principal, filter, pageSize + 1, after);
  const page = found.slice(0, pageSize);
  const last = page.at(-1);
  const response = create(ListTripsResponseSchema, {
    nextPageToken: found.length > pageSize && last ? pageToken(scope, [last.tripId]) : "",
  });
  response.trips = page.flatMap((trip) => viewOf(trip, principal)?.trip ?? []).map(tripMessage);
  return response;
}

function checkedId(id: string, field: string): string {
  if (!ID_PATTERN.test(id)) throw new BimrideError("FIELD_INVALID", "Not an id.", { field });
  return id;
}

function known(tripId: string): string {
  if (!TRIP_ID_PATTERN.test(tripId)) throw new BimrideError("NOT_FOUND");
  return tripId;
}

/** What the caller may see of a trip; who may see nothing learns nothing, whatever the use-case let through. */
function shown(trip: Trip, principal: Principal): TripMessage {
  const view = viewOf(trip, principal);
  if (!view) throw new BimrideError("NOT_FOUND");
  return tripMessage(view.trip);
}
