import type { FixContext } from "../context.ts";

/**
 * Joins the fix with its party's running trip. A driver on no trip is joined with none, and so is a fix captured before
 * the driver was assigned: it stays out of the trip.
 */
export function join(context: FixContext): boolean {
  const { party, state, atMs, disposition } = context;
  context.trip = undefined;
  if (disposition === "superseded" || party.party.kind !== "driver") return true;
  const trip = state.tripOfDriver.get(party.party.id);
  const assignment = trip?.trip.assignments.at(-1);
  if (trip && assignment && atMs >= assignment.fromMs) context.trip = trip;
  return true;
}
