import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Principal, ROLES } from "../auth/principal.ts";
import { TRIP_STATUSES, type Trip, WAYPOINT_KINDS } from "../core/trip.ts";
import { mayReadRecord, mayWatch, viewOf } from "./redact.ts";

const RIDERS = ["ann", "bob", "cem"];
const someId = fc.constantFrom(...RIDERS, "");

const trips: fc.Arbitrary<Trip> = fc
  .record({
    type: fc.constantFrom("exclusive" as const, "shared" as const),
    status: fc.constantFrom(...TRIP_STATUSES),
    riderIds: fc.uniqueArray(fc.constantFrom(...RIDERS), { minLength: 1 }),
    sharing: fc.func(fc.boolean()),
    driverId: fc.constantFrom("dan", ""),
    stops: fc.array(fc.record({ kind: fc.constantFrom(...WAYPOINT_KINDS), riderId: someId }), {
      maxLength: 8,
    }),
    index: fc.nat(9),
  })
  .map(({ stops, index, sharing, ...rest }) => ({
    ...rest,
    sharingRiderIds: rest.riderIds.filter(sharing),
    tripId: "eu1-0000000000000000000000000a",
    region: "eu1",
    version: 3,
    generation: 2,
    statusSource: "explicit",
    statusAtMs: 5,
    waypoints: stops.map((stop, i) => ({
      ...stop,
      position: { latDeg: 10 + i, lonDeg: 20 + i },
      label: `at ${i}`,
    })),
    waypointIndex: Math.min(index, stops.length),
    plannedPath: stops.map((_, i) => ({ latDeg: 10 + i, lonDeg: 20 + i })),
    createdAtMs: 1,
    updatedAtMs: 2,
    assignments: [
      { driverId: "eve", fromMs: 1, toMs: 2 },
      { driverId: "dan", fromMs: 2, toMs: 0 },
    ],
    endedAtMs: 0,
    cancelReason: "",
  }));
const principals: fc.Arbitrary<Principal> = fc.record({
  role: fc.constantFrom(...ROLES),
  subject: fc.constantFrom(...RIDERS, "dan", "eve", "zoe", ""),
  signInId: fc.constant("in-1"),
  expiresAtMs: fc.constant(9),
});

describe("viewOf", () => {
  it("shows nothing to anyone who is neither on the trip nor in a role that sees all", () => {
    fc.assert(
      fc.property(trips, principals, (trip, principal) => {
        const onTrip =
          (principal.role === "rider" && trip.riderIds.includes(principal.subject)) ||
          (principal.role === "driver" && principal.subject !== "" && trip.driverId === principal.subject);
        const seesAll = ["backend", "support", "ops"].includes(principal.role);
        expect(viewOf(trip, principal) !== undefined).toBe(onTrip || seesAll);
        expect(mayWatch(principal, trip)).toBe(onTrip || ["support", "ops"].includes(principal.role));
        expect(mayReadRecord(principal, trip)).toBe(onTrip || principal.role === "support");
      }),
    );
  });

  it("never tells a rider another rider's id, a driver of before, or on a shared trip another's stop", () => {
    fc.assert(
      fc.property(trips, fc.constantFrom(...RIDERS), (trip, rider) => {
        const view = viewOf(trip, { role: "rider", subject: rider, signInId: "in-1", expiresAtMs: 9 });
        if (!view) return;
        const text = JSON.stringify(view.trip);
        for (const other of [...RIDERS, "eve"].filter((id) => id !== rider))
          expect(text).not.toContain(`"${other}"`);
        if (trip.type !== "shared") return;
        trip.waypoints.forEach((waypoint, i) => {
          if (waypoint.riderId === rider || waypoint.riderId === "") return;
          expect(text).not.toContain(`"latDeg":${10 + i}`);
          expect(text).not.toContain(`at ${i}`);
        });
      }),
    );
  });

  it("keeps a rider's own stops in order and counts the reached ones among them", () => {
    fc.assert(
      fc.property(trips, fc.constantFrom(...RIDERS), (trip, rider) => {
        const view = viewOf(trip, { role: "rider", subject: rider, signInId: "in-1", expiresAtMs: 9 });
        if (!view) return;
        const own = trip.waypoints.filter(
          (w) => trip.type === "exclusive" || w.riderId === rider || w.riderId === "",
        );
        expect(view.trip.waypoints.map((w) => w.label)).toEqual(own.map((w) => w.label));
        expect(view.trip.waypointIndex).toBeLessThanOrEqual(own.length);
        const reached = new Set(trip.waypoints.slice(0, trip.waypointIndex).map((w) => w.label));
        expect(view.trip.waypointIndex).toBe(own.filter((w) => reached.has(w.label)).length);
      }),
    );
  });

  it("never changes the trip it was given", () => {
    fc.assert(
      fc.property(trips, principals, (trip, principal) => {
        const before = structuredClone(trip);
        viewOf(trip, principal);
        expect(trip).toEqual(before);
      }),
    );
  });

  const shared = (waypointIndex: number, status: Trip["status"]): Trip => ({
    ...fc.sample(trips, { numRuns: 1, seed: 1 })[0]!,
    type: "shared",
    status,
    riderIds: ["ann", "bob"],
    waypointIndex,
    waypoints: (["ann", "bob", "ann", "bob"] as const).map((riderId, i) => ({
      kind: i < 2 ? "pickup" : "dropoff",
      riderId,
      position: { latDeg: i, lonDeg: i },
      label: "",
    })),
  });
  const seenBy = (subject: string, trip: Trip) =>
    viewOf(trip, { role: "rider", subject, signInId: "in-1", expiresAtMs: 9 })!;

  it("tells a rider of a shared car the status towards their own next stop", () => {
    expect(seenBy("bob", shared(0, "ARRIVED_AT_PICKUP")).trip.status).toBe("ENROUTE_TO_PICKUP");
    expect(seenBy("bob", shared(1, "ARRIVED_AT_PICKUP")).trip.status).toBe("ARRIVED_AT_PICKUP");
    expect(seenBy("ann", shared(1, "ARRIVED_AT_PICKUP")).trip.status).toBe("ENROUTE_TO_DROPOFF");
  });

  it("stops showing the car to a rider who has left it", () => {
    expect(seenBy("ann", shared(3, "ENROUTE_TO_DROPOFF"))).toMatchObject({
      seesCar: false,
      trip: { status: "COMPLETE" },
    });
    expect(seenBy("bob", shared(3, "ENROUTE_TO_DROPOFF")).seesCar).toBe(true);
  });

  it("does not show them after the end where it went without them", () => {
    for (const status of ["COMPLETE", "CANCELED"] as const) {
      expect(seenBy("ann", shared(4, status)).seesCar).toBe(false);
      expect(seenBy("bob", shared(4, status)).seesCar).toBe(true);
    }
  });
});
