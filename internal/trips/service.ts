import { createHash } from "node:crypto";
import type { Principal } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import type { LatLon } from "../core/geo.ts";
import { newTripId } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { Trip, TripActionKind, TripStatus } from "../core/trip.ts";
import type { Detection } from "../pipeline/output.ts";
import { mayChange, mayRead, mayRun, mayShare, scopeOf } from "./access.ts";
import type { TripAnnouncer } from "./announcer.ts";
import type { TripEdit, TripUpdate } from "./edit.ts";
import { newTrip, type TripOrder } from "./new-trip.ts";
import { applyEdit } from "./state-machine.ts";
import type { TripFilter, Trips } from "./trips.ts";
import { checkOrder, checkReason, checkUpdate } from "./validate.ts";

export type TripServiceDeps = {
  trips: Trips;
  announcer: TripAnnouncer;
  clock: Clock;
  limits: Limits;
  /** The region of a place: a trip belongs to its pickup's for good, whatever changes later. */
  regionOf(position: LatLon): string;
  /** Unguessable bytes, for trip ids. */
  randomBytes(count: number): Uint8Array;
};

/** A trip order with the caller's key for repeats, 1 to 128 characters. */
export type NewTripRequest = TripOrder & { idempotencyKey: string };

/** Tries of a change that others keep overtaking; then VERSION_CONFLICT. */
const MAX_TRIES = 8;
const MAX_KEY_LENGTH = 128;

/** Who wants a change: somebody with a token, and who may; or our own pipeline. */
type Changer = { principal: Principal; may: (principal: Principal, trip: Trip) => boolean } | typeof PIPELINE;
const PIPELINE = "pipeline";

/**
 * The use-cases of trips: who may do what, compare-and-set on the store, then the change goes to the log. All reject with
 * errors of the vocabulary; a trip that the caller may not see is NOT_FOUND, as one that does not exist.
 */
export class TripService {
  readonly #deps: TripServiceDeps;

  constructor(deps: TripServiceDeps) {
    this.#deps = deps;
  }

  /** Creates a trip, or gives back the one that the same key and order made. Role backend. */
  async createTrip(principal: Principal, request: NewTripRequest): Promise<Trip> {
    if (!mayRun(principal)) throw new BimrideError("ROLE_FORBIDDEN");
    const { idempotencyKey, ...order } = request;
    if (idempotencyKey.length < 1 || idempotencyKey.length > MAX_KEY_LENGTH)
      throw new BimrideError("FIELD_INVALID", `1 to ${MAX_KEY_LENGTH} characters.`, {
        field: "idempotency_key",
      });
    checkOrder(order, this.#deps.limits);
    const { trips, clock, randomBytes, announcer } = this.#deps;
    const region = this.#regionOf(order);
    const nowMs = Math.round(clock.now());
    const trip = newTrip(newTripId(region, nowMs, randomBytes(10)), region, order, nowMs);
    const digest = createHash("sha256").update(JSON.stringify(order)).digest("base64url");
    // The key belongs to the backend that chose it.
    const key = `${principal.subject} ${idempotencyKey}`;
    const result = await trips.put(trip, { key, digest, nowMs });
    if (result.stored) {
      await announcer.announce(trip, undefined);
      return trip;
    }
    if (result.reason === "idempotency") return this.#made(result, digest);
    throw new BimrideError(result.reason === "driverBusy" ? "DRIVER_BUSY" : "VERSION_CONFLICT");
  }

  async getTrip(principal: Principal, tripId: string): Promise<Trip> {
    return this.#readable(principal, tripId);
  }

  /** Changes driver, riders, waypoints or path. Role backend. `ifVersion` 0 means any. */
  async updateTrip(
    principal: Principal,
    tripId: string,
    update: TripUpdate,
    ifVersion: number,
  ): Promise<Trip> {
    checkUpdate(update, this.#deps.limits);
    const by = { principal, may: mayRun };
    return this.#change(by, tripId, ifVersion, (atMs) => ({ kind: "update", atMs, ...update }));
  }

  /** Sets the status. Role backend, or the trip's own driver. */
  async setStatus(
    principal: Principal,
    tripId: string,
    status: TripStatus,
    ifVersion: number,
  ): Promise<Trip> {
    return this.#change({ principal, may: mayChange }, tripId, ifVersion, (atMs) => ({
      kind: "status",
      status,
      atMs,
    }));
  }

  /** What the driver does on their trip, in-band; a repeat changes nothing. Role backend, or the trip's own driver. */
  async act(
    principal: Principal,
    tripId: string,
    action: TripActionKind,
    waypointIndex: number | undefined,
  ): Promise<Trip> {
    return this.#change({ principal, may: mayChange }, tripId, 0, (atMs) => ({
      kind: "action",
      action,
      waypointIndex,
      atMs,
    }));
  }

  /** Calls a trip off. Role backend. A repeat changes nothing. */
  async cancel(principal: Principal, tripId: string, reason: string): Promise<Trip> {
    checkReason(reason);
    return this.#change({ principal, may: mayRun }, tripId, 0, (atMs) => ({ kind: "cancel", reason, atMs }));
  }

  /**
   * Lets the trip's driver see where the caller is until the pickup, or no longer; a repeat changes nothing. The trip's own
   * riders, each for themselves.
   */
  async shareLocation(principal: Principal, tripId: string, granted: boolean): Promise<Trip> {
    const { subject: riderId } = principal;
    return this.#change({ principal, may: mayShare }, tripId, 0, (atMs) => ({
      kind: "sharing",
      riderId,
      granted,
      atMs,
    }));
  }

  /** Newest first, after the trip of that id (empty for the first page). Riders and drivers see their own only. */
  async list(principal: Principal, filter: TripFilter, limit: number, after: string): Promise<Trip[]> {
    return this.#deps.trips.list(scopeOf(principal, filter), limit, after);
  }

  /** Stores a phase that the pipeline detected, unless something newer stands. Resolves either way. */
  async proposeDetected(detection: Detection): Promise<void> {
    const { tripId, tripVersion, status, waypointIndex, atMs } = detection;
    try {
      await this.#change(PIPELINE, tripId, 0, () => ({
        kind: "detected",
        tripVersion,
        status,
        waypointIndex,
        atMs,
      }));
    } catch (error) {
      const answered = error instanceof BimrideError && (REFUSALS as readonly string[]).includes(error.code);
      if (!answered) throw error;
    }
  }

  /** The pickup's region. Throws LOG_UNAVAILABLE when its trips can't be told from here: nothing is stored then. */
  #regionOf({ waypoints }: TripOrder): string {
    const { regionOf, announcer } = this.#deps;
    const region = regionOf(waypoints[0]!.position);
    if (!announcer.knows(region))
      throw new BimrideError("LOG_UNAVAILABLE", `This node does not serve the pickup's region, ${region}.`);
    return region;
  }

  /** The trip that an earlier request with the same key made, when the request was the same. */
  async #made(claimed: { tripId: string; digest: string }, digest: string): Promise<Trip> {
    const made = claimed.digest === digest ? await this.#deps.trips.get(claimed.tripId) : undefined;
    if (!made) throw new BimrideError("IDEMPOTENCY_CONFLICT");
    return made;
  }

  async #readable(principal: Principal, tripId: string): Promise<Trip> {
    const trip = await this.#deps.trips.get(tripId);
    if (!trip || !mayRead(principal, trip)) throw new BimrideError("NOT_FOUND");
    return trip;
  }

  /** Who may is asked of the very version that changes: a driver who was just taken off changes nothing any more. */
  async #change(
    by: Changer,
    tripId: string,
    ifVersion: number,
    editAt: (nowMs: number) => TripEdit,
  ): Promise<Trip> {
    const { trips, clock, announcer } = this.#deps;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const trip = by === PIPELINE ? await trips.get(tripId) : await this.#readable(by.principal, tripId);
      if (!trip) throw new BimrideError("NOT_FOUND");
      if (by !== PIPELINE && !by.may(by.principal, trip)) throw new BimrideError("ROLE_FORBIDDEN");
      if (ifVersion !== 0 && ifVersion !== trip.version) throw new BimrideError("VERSION_CONFLICT");
      const result = applyEdit(trip, editAt(Math.round(clock.now())));
      if (result.outcome === "unchanged") return trip;
      if (result.outcome === "refused")
        throw new BimrideError(result.code, result.reason, { field: result.field });
      const put = await trips.put(result.trip);
      if (!put.stored && put.reason === "driverBusy") throw new BimrideError("DRIVER_BUSY");
      if (!put.stored) continue; // somebody was faster: look again
      await announcer.announce(result.trip, trip);
      return result.trip;
    }
    throw new BimrideError("VERSION_CONFLICT");
  }
}

/** Answers to a proposal that are no faults. */
const REFUSALS = ["TRANSITION_ILLEGAL", "TRIP_ENDED", "NOT_FOUND", "VERSION_CONFLICT"] as const;
