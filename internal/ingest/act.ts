import type { Principal } from "../auth/principal.ts";
import { asBimrideError, BimrideError } from "../core/errors.ts";
import { TRIP_ID_PATTERN } from "../core/ids.ts";
import type { TripActionKind } from "../core/trip.ts";
import type { LocationSharing, TripAction } from "./messages.ts";

/** Carries out what a driver or rider does on their trip. Rejects with any error of the vocabulary. */
export type ActOnTrip = (principal: Principal, action: InBandAction) => Promise<void>;

/** What parties do on their trips by their streams. */
export type InBandAction =
  | ({ kind: "tripAction" } & TripAction)
  | ({ kind: "locationSharing" } & LocationSharing);

/** The use-case that knows trips; where it lives is the wiring's business. Resolves with the trip. */
export type TripActions = {
  act(
    principal: Principal,
    tripId: string,
    action: TripActionKind,
    waypointIndex: number | undefined,
  ): Promise<unknown>;
  shareLocation(principal: Principal, tripId: string, granted: boolean): Promise<unknown>;
};

/** Actions as they come on a stream, checked. */
export function actOnTrip(trips: TripActions): ActOnTrip {
  return async (principal, action) => {
    const doer = action.kind === "tripAction" ? "driver" : "rider";
    if (principal.role !== doer) throw new BimrideError("ROLE_FORBIDDEN");
    if (!TRIP_ID_PATTERN.test(action.tripId)) throw new BimrideError("NOT_FOUND");
    if (action.kind === "tripAction") await drive(trips, principal, action);
    else await trips.shareLocation(principal, action.tripId, action.granted);
  };
}

async function drive(
  trips: TripActions,
  principal: Principal,
  { tripId, action, waypointIndex }: TripAction,
) {
  if (!action) throw new BimrideError("FIELD_INVALID", "Not an action.", { field: "kind" });
  try {
    await trips.act(principal, tripId, action, waypointIndex);
  } catch (error) {
    // A repeat: who gave the trip back has none, which is what was asked for.
    const isGone = action === "decline" && asBimrideError(error).code === "NOT_FOUND";
    if (!isGone) throw error;
  }
}
