import type { Principal } from "../auth/principal.ts";
import { asBimrideError, BimrideError } from "../core/errors.ts";
import { TRIP_ID_PATTERN } from "../core/ids.ts";
import type { TripActionKind } from "../core/trip.ts";
import type { TripAction } from "./messages.ts";

/** Carries out what a driver does on their trip. Rejects with any error of the vocabulary. */
export type ActOnTrip = (principal: Principal, action: TripAction) => Promise<void>;

/** The use-case that knows trips; where it lives is the wiring's business. Resolves with the trip. */
export type TripActions = {
  act(
    principal: Principal,
    tripId: string,
    action: TripActionKind,
    waypointIndex: number | undefined,
  ): Promise<unknown>;
};

/** Trip actions as they come on a stream, checked. */
export function actOnTrip(trips: TripActions): ActOnTrip {
  return async (principal, { tripId, action, waypointIndex }) => {
    if (principal.role !== "driver") throw new BimrideError("ROLE_FORBIDDEN");
    if (!TRIP_ID_PATTERN.test(tripId)) throw new BimrideError("NOT_FOUND");
    if (!action) throw new BimrideError("FIELD_INVALID", "Not an action.", { field: "kind" });
    try {
      await trips.act(principal, tripId, action, waypointIndex);
    } catch (error) {
      // A repeat: who gave the trip back has none, which is what was asked for.
      const isGone = action === "decline" && asBimrideError(error).code === "NOT_FOUND";
      if (!isGone) throw error;
    }
  };
}
