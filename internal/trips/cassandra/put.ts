import { BimrideError } from "../../core/errors.ts";
import { isRunning, type Trip } from "../../core/trip.ts";
import type { IdempotencyClaim, PutResult } from "../trips.ts";
import type { Attempt } from "./attempt.ts";
import type { Hold, Holds } from "./holds.ts";
import type { Outbox } from "./outbox.ts";
import type { TripIndex } from "./trip-index.ts";
import type { TripRows, TripState } from "./trip-rows.ts";

export type PutDeps = {
  rows: TripRows;
  drivers: Holds;
  keys: Holds;
  outbox: Outbox;
  index: TripIndex;
  nextAttempt(): Attempt;
  /** The put did all that follows on storing the trip. */
  settled(attempt: Attempt): void;
};

/** Tries that others' fences may spoil; then STORE_UNAVAILABLE. */
const MAX_TRIES = 8;

/** Stores a trip, in the order that trips.ts tells. */
export async function put(
  deps: PutDeps,
  trip: Trip,
  claim: IdempotencyClaim | undefined,
): Promise<PutResult> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const attempt = deps.nextAttempt();
    const result = await putOnce(deps, trip, claim, {
      tripId: trip.tripId,
      attempt,
      digest: claim?.digest ?? "",
    });
    if (result === "fenced") continue;
    if (result.stored || !claim || result.reason === "idempotency") return result;
    // Who is refused may have been overtaken by a put with the same key.
    return (await earlier(deps, claim)) ?? result;
  }
  throw new BimrideError("STORE_UNAVAILABLE", "Too many change the same trip.");
}

async function putOnce(
  deps: PutDeps,
  trip: Trip,
  claim: IdempotencyClaim | undefined,
  own: Hold,
): Promise<PutResult | "fenced"> {
  const { rows, drivers, keys, outbox, index } = deps;
  const taken = claim && (await earlier(deps, claim));
  if (taken) return taken;
  const before = await readBefore(rows, trip);
  if (before.version !== trip.version - 1) return { stored: false, reason: "version" };
  const driverId = newDriverOf(trip, before.trip);
  if (driverId !== "" && (await drivers.take(driverId, own))) return { stored: false, reason: "driverBusy" };
  const rival = claim && (await keys.take(claim.key, own));
  if (rival) {
    if (driverId !== "") await drivers.release(driverId, own);
    return refusedBy(rival);
  }
  const leftDriver = leftDriverOf(trip, before.trip);
  const leftHold = leftDriver === "" ? undefined : await drivers.read(leftDriver);
  await outbox.add(own.attempt, trip, before.trip);
  await index.add(trip, before.trip);
  const outcome = await rows.commit(trip, own.attempt, before);
  if (outcome === "stored") {
    await settle(deps, trip, before.trip, leftDriver, leftHold, own.attempt);
    return { stored: true };
  }
  await outbox.remove(own.attempt);
  if (outcome === "fenced") return outcome;
  if (driverId !== "") await drivers.release(driverId, own);
  if (claim) await keys.release(claim.key, own);
  await index.withdraw(trip, (await rows.read(trip.tripId, true)).trip);
  return { stored: false, reason: "version" };
}

/** What stands before the put; the answer "another version" must not rest on a look that missed the newest. */
async function readBefore(rows: TripRows, { tripId, version }: Trip): Promise<TripState> {
  const seen = await rows.read(tripId);
  return seen.version === version - 1 ? seen : rows.read(tripId, true);
}

/** The trip is stored whatever becomes of this. */
async function settle(
  { drivers, index, settled }: PutDeps,
  trip: Trip,
  previous: Trip | undefined,
  leftDriver: string,
  leftHold: Hold | undefined,
  attempt: Attempt,
): Promise<void> {
  try {
    if (leftHold?.tripId === trip.tripId) await drivers.remove(leftDriver, leftHold);
    await index.settle(trip, previous);
    settled(attempt);
  } catch {
    // `published` does it again, and a driver's hold without its trip is taken over by whoever wants the driver.
  }
}

async function earlier({ keys }: PutDeps, { key }: IdempotencyClaim): Promise<PutResult | undefined> {
  const hold = await keys.good(key);
  return hold && refusedBy(hold);
}

function refusedBy({ tripId, digest }: Hold): PutResult {
  return { stored: false, reason: "idempotency", tripId, digest };
}

/** The driver whom the trip comes to run with; empty: none, or the same as before. */
function newDriverOf(trip: Trip, previous: Trip | undefined): string {
  return runningDriverOf(trip) === runningDriverOf(previous) ? "" : runningDriverOf(trip);
}

/** The driver with whom the trip does not run any more; empty: none. */
export function leftDriverOf(trip: Trip, previous: Trip | undefined): string {
  return runningDriverOf(trip) === runningDriverOf(previous) ? "" : runningDriverOf(previous);
}

/** The driver whom the trip keeps busy; empty: none. */
export function runningDriverOf(trip: Trip | undefined): string {
  return trip && isRunning(trip) ? trip.driverId : "";
}
