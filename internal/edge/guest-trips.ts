import type { Principal } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import { destination, type LatLon } from "../core/geo.ts";
import type { Trip } from "../core/trip.ts";
import type { EdgeContext } from "./context.ts";
import { GUEST_PREFIX, type Guest } from "./guests.ts";

/** Who books for the guests: this very process. */
const DESK: Principal = {
  ...{ role: "backend", subject: "demo-guests", signInId: "", expiresAtMs: Number.MAX_SAFE_INTEGER },
};
/** A walk's length. */
const TRIP_M = 600;
const PAGE = 200;
const KEY_BYTES = 16;

type Needed = Pick<EdgeContext, "trips" | "randomBytes">;

/** The guest's running trip, or a new one from here to a place some 600 m away. */
export async function guestTrip({ trips, randomBytes }: Needed, guest: Guest, here: LatLon): Promise<Trip> {
  const running = await runningTrip(trips, guest);
  if (running) return running;
  // Towards the equator, so that there always is such a place.
  const there = destination(here.latDeg, here.lonDeg, here.latDeg > 0 ? 180 : 0, TRIP_M);
  try {
    return await trips.createTrip(DESK, {
      idempotencyKey: Buffer.from(randomBytes(KEY_BYTES)).toString("base64url"),
      type: "exclusive",
      riderIds: [guest.riderId],
      driverId: guest.driverId,
      waypoints: [
        { kind: "pickup", position: here, riderId: "", label: "Where you started" },
        { kind: "dropoff", position: there, riderId: "", label: `${TRIP_M} m away` },
      ],
      plannedPath: [here, there],
    });
  } catch (error) {
    // Asked for twice at once: the other one was faster.
    const other = isBusy(error) ? await runningTrip(trips, guest) : undefined;
    if (other) return other;
    throw error;
  }
}

/** Calls off the running trips of guests who are gone; all of them without a list. */
export async function cancelGuestTrips(
  { trips }: Pick<Needed, "trips">,
  gone?: readonly Guest[],
): Promise<void> {
  const isGone = ({ driverId }: Trip) =>
    gone ? gone.some((guest) => guest.driverId === driverId) : driverId.startsWith(GUEST_PREFIX);
  for (let after = ""; ; ) {
    const page = await trips.list(DESK, { runningOnly: true }, PAGE, after);
    for (const { tripId } of page.filter(isGone)) await trips.cancel(DESK, tripId, "The phone has left.");
    if (page.length < PAGE) return;
    after = page.at(-1)!.tripId;
  }
}

async function runningTrip(trips: Needed["trips"], { driverId }: Guest): Promise<Trip | undefined> {
  const [trip] = await trips.list(DESK, { driverId, runningOnly: true }, 1, "");
  return trip;
}

function isBusy(error: unknown): boolean {
  return error instanceof BimrideError && error.code === "DRIVER_BUSY";
}
