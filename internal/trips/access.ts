import type { Principal } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import type { Trip } from "../core/trip.ts";
import type { TripFilter } from "./trips.ts";

const READERS: readonly Principal["role"][] = ["backend", "support", "ops", "admin"];

/** True for those who may create, change and cancel trips. */
export function mayRun(principal: Principal): boolean {
  return principal.role === "backend";
}

/** True for those who may set the trip's status: the backend and its driver. */
export function mayChange(principal: Principal, trip: Trip): boolean {
  return mayRun(principal) || isDriver(principal, trip);
}

/** True for those who may say whether the trip's driver sees where they are: its riders, each for themselves. */
export function mayShare(principal: Principal, trip: Trip): boolean {
  return isRider(principal, trip);
}

/** True for those who may know of the trip. */
export function mayRead(principal: Principal, trip: Trip): boolean {
  return READERS.includes(principal.role) || isDriver(principal, trip) || isRider(principal, trip);
}

/** The filter cut down to what the principal may list; rejects a wish for others' trips with ROLE_FORBIDDEN. */
export function scopeOf({ role, subject }: Principal, filter: TripFilter): TripFilter {
  if (READERS.includes(role)) return filter;
  if (role === "rider" && !filter.driverId && (filter.riderId ?? subject) === subject)
    return { ...filter, riderId: subject };
  if (role === "driver" && !filter.riderId && (filter.driverId ?? subject) === subject)
    return { ...filter, driverId: subject };
  throw new BimrideError("ROLE_FORBIDDEN");
}

function isDriver({ role, subject }: Principal, trip: Trip): boolean {
  return role === "driver" && subject !== "" && trip.driverId === subject;
}

function isRider({ role, subject }: Principal, trip: Trip): boolean {
  return role === "rider" && trip.riderIds.includes(subject);
}
