import { describe, expect, it } from "vitest";
import { tripOf } from "../live/kit.ts";
import { showsRider, type Trip, type Waypoint, type WaypointKind } from "./trip.ts";

const stop = (kind: WaypointKind, riderId = ""): Waypoint => ({
  ...{ kind, riderId, label: "", position: { latDeg: 57.7, lonDeg: 11.97 } },
});

function trip(fields: Partial<Trip>): Trip {
  const riders = { riderIds: ["ann", "bob"], sharingRiderIds: ["ann", "bob"] };
  return { ...tripOf("se1-0000000000000000000000000a"), ...riders, ...fields };
}

describe("showsRider", () => {
  it("shows a rider who agreed, from the driver's start until the car leaves the pickup", () => {
    const shown = (fields: Partial<Trip>) => showsRider(trip(fields), "ann");
    expect(shown({ status: "NEW" })).toBe(false);
    expect(shown({ status: "ENROUTE_TO_PICKUP" })).toBe(true);
    expect(shown({ status: "ARRIVED_AT_PICKUP" })).toBe(true);
    expect(shown({ status: "ENROUTE_TO_DROPOFF", waypointIndex: 1 })).toBe(false);
    expect(shown({ status: "ARRIVED_AT_DROPOFF", waypointIndex: 1 })).toBe(false);
    expect(shown({ status: "COMPLETE", waypointIndex: 2 })).toBe(false);
    expect(shown({ status: "CANCELED", waypointIndex: 0 })).toBe(false);
  });

  it("shows nobody who did not agree, is not of the trip, or has no driver", () => {
    expect(showsRider(trip({ sharingRiderIds: ["bob"] }), "ann")).toBe(false);
    expect(showsRider(trip({ riderIds: ["bob"] }), "ann")).toBe(false);
    expect(showsRider(trip({ driverId: "" }), "ann")).toBe(false);
    expect(showsRider(trip({}), "zoe")).toBe(false);
  });

  it("goes by the rider's own pickup on a shared trip, and never shows again who has got in", () => {
    const waypoints = [
      stop("pickup", "ann"),
      stop("pickup", "bob"),
      stop("pickup"),
      stop("dropoff", "ann"),
      stop("dropoff"),
    ];
    const shown = (waypointIndex: number, status: Trip["status"]) =>
      ["ann", "bob", "cem"].filter((id) =>
        showsRider(
          trip({
            ...{ type: "shared", waypoints, waypointIndex, status },
            ...{ riderIds: ["ann", "bob", "cem"], sharingRiderIds: ["ann", "bob", "cem"] },
          }),
          id,
        ),
      );
    expect(shown(0, "ARRIVED_AT_PICKUP")).toEqual(["ann", "bob", "cem"]);
    expect(shown(1, "ENROUTE_TO_PICKUP")).toEqual(["bob", "cem"]);
    expect(shown(2, "ARRIVED_AT_PICKUP")).toEqual(["cem"]);
    expect(shown(3, "ENROUTE_TO_DROPOFF")).toEqual([]);
  });

  it("shows nobody for whom there is no pickup", () => {
    const waypoints = [stop("pickup", "bob"), stop("dropoff", "ann"), stop("dropoff")];
    expect(showsRider(trip({ waypoints }), "ann")).toBe(false);
  });
});
