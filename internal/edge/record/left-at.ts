import type { Principal } from "../../auth/principal.ts";
import { isRunning, type Trip } from "../../core/trip.ts";
import type { History } from "../../history/history.ts";
import { leavesAt } from "../redact.ts";

const PAGE = 1_000;

/**
 * When the principal left the car, milliseconds since 1970: what it drove later is the business of those still in it.
 * Infinity for those who see the whole trip, went along to the end or are yet to leave; 0, so that nothing is shown, when
 * they have left and the record does not say when.
 */
export async function leftAtMs(
  history: Pick<History, "events">,
  trip: Trip,
  principal: Principal,
): Promise<number> {
  const last = leavesAt(trip, principal);
  if (last === trip.waypoints.length - 1) return Infinity;
  if (isRunning(trip) && trip.waypointIndex <= last) return Infinity;
  let leftAt: number | undefined;
  let after: { atMs: number; key: string } | undefined;
  for (;;) {
    const page = await history.events(trip.tripId, PAGE, after);
    for (const event of page) {
      if (event.kind !== "status" || event.waypointIndex === undefined) continue;
      // A status that was put right takes the leaving back.
      leftAt = event.waypointIndex > last ? (leftAt ?? event.atMs) : undefined;
    }
    const end = page.at(-1);
    if (!end || page.length < PAGE) return leftAt ?? 0;
    after = { atMs: end.atMs, key: end.key };
  }
}
