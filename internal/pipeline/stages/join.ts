import type { FixContext } from "../context.ts";

/**
 * Joins the fix with its party's running trip. A driver on no trip is joined with none, and so is a fix captured before
 * the driver was assigned: it stays out of the trip.
 */
export function join(context: FixContext): boolean {
  const { party, atMs, disposition } = context;
  const trip = disposition === "superseded" ? undefined : party.trip;
  context.trip = trip && atMs >= trip.fromMs ? trip : undefined;
  return true;
}
