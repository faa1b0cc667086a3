import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isRunning,
  statusAt,
  TRIP_ACTIONS,
  TRIP_STATUSES,
  type Trip,
  type TripActionKind,
  type Waypoint,
  type WaypointKind,
} from "../core/trip.ts";
import type { TripEdit } from "./edit.ts";
import { newTrip } from "./new-trip.ts";
import { stageOf } from "./stage.ts";
import { applyEdit } from "./state-machine.ts";

function stop(kind: WaypointKind, latDeg = 57.7): Waypoint {
  return { kind, position: { latDeg, lonDeg: 11.97 }, riderId: "", label: "" };
}

function trip(...between: WaypointKind[]): Trip {
  const waypoints = [stop("pickup"), ...between.map((kind) => stop(kind)), stop("dropoff")];
  const order = { type: "exclusive" as const, riderIds: ["r1"], driverId: "d1", waypoints, plannedPath: [] };
  return newTrip("se1-00000000000000000000000000", "se1", order, 1_000);
}

/** The trip after edits that must all be accepted. */
function edited(start: Trip, ...edits: TripEdit[]): Trip {
  return edits.reduce((current, edit) => {
    const result = applyEdit(current, edit);
    if (result.outcome !== "changed") throw new Error(`${edit.kind} was ${JSON.stringify(result)}`);
    return result.trip;
  }, start);
}

function say(status: Trip["status"], atMs = 2_000): TripEdit {
  return { kind: "status", status, atMs };
}

function seen(status: Trip["status"], waypointIndex: number, tripVersion: number, atMs = 2_000): TripEdit {
  return { kind: "detected", status, waypointIndex, tripVersion, atMs };
}

describe("explicit statuses", () => {
  it("go from pickup over a stop to the dropoff, and the waypoint index goes along", () => {
    let current = trip("intermediate");
    const steps = [
      ["ENROUTE_TO_PICKUP", 0],
      ["ARRIVED_AT_PICKUP", 0],
      ["ENROUTE_TO_INTERMEDIATE_DESTINATION", 1],
      ["ARRIVED_AT_INTERMEDIATE_DESTINATION", 1],
      ["ENROUTE_TO_DROPOFF", 2],
      ["ARRIVED_AT_DROPOFF", 2],
      ["COMPLETE", 3],
    ] as const;
    for (const [status, waypointIndex] of steps) {
      current = edited(current, say(status));
      expect(current).toMatchObject({ status, waypointIndex, statusSource: "explicit" });
    }
    expect(current).toMatchObject({ version: 8, endedAtMs: 2_000, generation: 1 });
    expect(current.assignments).toEqual([{ driverId: "d1", fromMs: 1_000, toMs: 2_000 }]);
  });

  it("may leave out arrivals and stops on the way", () => {
    const current = edited(
      trip("intermediate", "intermediate"),
      say("ENROUTE_TO_PICKUP"),
      say("ENROUTE_TO_DROPOFF"),
    );
    expect(current).toMatchObject({ status: "ENROUTE_TO_DROPOFF", waypointIndex: 3 });
  });

  it("may not leave out the pickup, nor a co-rider's pickup", () => {
    expect(applyEdit(trip(), say("ENROUTE_TO_DROPOFF"))).toMatchObject({
      outcome: "refused",
      code: "TRANSITION_ILLEGAL",
      reason: expect.stringContaining("not yet bound for the pickup"),
    });
    const shared = edited(trip("pickup"), say("ENROUTE_TO_PICKUP"));
    expect(applyEdit(shared, say("ENROUTE_TO_DROPOFF"))).toMatchObject({ outcome: "refused" });
  });

  it("of two pickups in a row mean the next one once the first is reached", () => {
    const shared = edited(trip("pickup"), say("ARRIVED_AT_PICKUP"), say("ENROUTE_TO_PICKUP"));
    expect(shared).toMatchObject({ status: "ENROUTE_TO_PICKUP", waypointIndex: 1 });
  });

  it("take back an arrival at the same waypoint, but never a leg", () => {
    const arrived = edited(trip(), say("ARRIVED_AT_PICKUP"));
    expect(edited(arrived, say("ENROUTE_TO_PICKUP"))).toMatchObject({ status: "ENROUTE_TO_PICKUP" });
    const under = edited(arrived, say("ENROUTE_TO_DROPOFF"));
    for (const status of ["NEW", "ENROUTE_TO_PICKUP", "ARRIVED_AT_PICKUP"] as const)
      expect(applyEdit(under, say(status))).toMatchObject({ outcome: "refused" });
  });

  it("take back a leg that was only detected", () => {
    const under = edited(trip(), say("ARRIVED_AT_PICKUP"), seen("ENROUTE_TO_DROPOFF", 1, 2, 3_000));
    expect(edited(under, say("ARRIVED_AT_PICKUP", 4_000))).toMatchObject({
      status: "ARRIVED_AT_PICKUP",
      statusSource: "explicit",
      waypointIndex: 0,
    });
  });

  it("confirm what was detected, and otherwise change nothing when repeated", () => {
    const detected = edited(trip(), seen("ENROUTE_TO_PICKUP", 0, 1));
    const confirmed = edited(detected, say("ENROUTE_TO_PICKUP"));
    expect(confirmed).toMatchObject({ statusSource: "explicit", statusAtMs: 2_000, version: 3 });
    expect(applyEdit(confirmed, say("ENROUTE_TO_PICKUP"))).toEqual({ outcome: "unchanged" });
  });

  it("complete a trip only after the pickup, and cancel it whenever it runs", () => {
    expect(applyEdit(edited(trip(), say("ARRIVED_AT_PICKUP")), say("COMPLETE"))).toMatchObject({
      reason: expect.stringContaining("cancel the trip instead"),
    });
    const done = edited(trip(), say("ARRIVED_AT_PICKUP"), say("ENROUTE_TO_DROPOFF"), say("COMPLETE"));
    expect(applyEdit(done, { kind: "cancel", reason: "late", atMs: 3_000 })).toMatchObject({
      outcome: "refused",
    });
    const canceled = edited(trip(), { kind: "cancel", reason: "no show", atMs: 3_000 });
    expect(canceled).toMatchObject({ status: "CANCELED", cancelReason: "no show", endedAtMs: 3_000 });
    expect(applyEdit(canceled, { kind: "cancel", reason: "again", atMs: 4_000 })).toEqual({
      outcome: "unchanged",
    });
  });

  it("need a driver to move", () => {
    const free = edited(trip(), { kind: "update", driverId: "", atMs: 1_500 });
    expect(applyEdit(free, say("ENROUTE_TO_PICKUP"))).toMatchObject({ reason: "no driver is assigned" });
  });
});

describe("what drivers do", () => {
  const does = (action: TripActionKind, waypointIndex?: number): TripEdit => ({
    ...{ kind: "action", action, waypointIndex, atMs: 2_000 },
  });

  it("takes a trip from the offer to the end, and a repeat of each step changes nothing", () => {
    let current = trip("intermediate");
    const steps = [
      [does("accept"), "ENROUTE_TO_PICKUP"],
      [does("arrive", 0), "ARRIVED_AT_PICKUP"],
      [does("start", 0), "ENROUTE_TO_INTERMEDIATE_DESTINATION"],
      [does("arrive", 1), "ARRIVED_AT_INTERMEDIATE_DESTINATION"],
      [does("start", 1), "ENROUTE_TO_DROPOFF"],
      [does("arrive", 2), "ARRIVED_AT_DROPOFF"],
      [does("complete"), "COMPLETE"],
    ] as const;
    const done: TripEdit[] = [];
    for (const [edit, status] of steps) {
      current = edited(current, edit);
      expect(current).toMatchObject({ status, statusSource: "explicit" });
      done.push(edit);
      for (const repeat of done) expect(applyEdit(current, repeat)).toEqual({ outcome: "unchanged" });
    }
    for (const never of [does("start", 2), does("arrive", 3), does("decline")])
      expect(applyEdit(current, never)).toMatchObject({ code: "TRANSITION_ILLEGAL" });
  });

  it("is over with a cancellation: nothing is taken for a repeat then", () => {
    const off = edited(trip(), does("accept"), { kind: "cancel", reason: "", atMs: 3_000 });
    for (const late of [does("accept"), does("arrive", 0), does("complete")])
      expect(applyEdit(off, late)).toMatchObject({ code: "TRANSITION_ILLEGAL" });
  });

  it("is about the current waypoint where none is named; START while driving is a repeat", () => {
    const accepted = edited(trip(), does("accept"));
    expect(applyEdit(accepted, does("start"))).toEqual({ outcome: "unchanged" });
    const there = edited(accepted, does("arrive"));
    const away = edited(there, does("start"));
    expect(away).toMatchObject({ status: "ENROUTE_TO_DROPOFF", waypointIndex: 1 });
    expect(edited(away, does("arrive"))).toMatchObject({ status: "ARRIVED_AT_DROPOFF" });
    expect(applyEdit(edited(away, does("arrive")), does("start"))).toMatchObject({
      outcome: "refused",
      reason: expect.stringContaining("COMPLETE"),
    });
  });

  it("gives an offer back, which leaves the trip without a driver, but not a trip that was taken", () => {
    const free = edited(trip(), does("decline"));
    expect(free).toMatchObject({ driverId: "", status: "NEW", generation: 2 });
    expect(free.assignments).toEqual([{ driverId: "d1", fromMs: 1_000, toMs: 2_000 }]);
    expect(applyEdit(free, does("accept"))).toMatchObject({ reason: "no driver is assigned" });
    expect(applyEdit(edited(trip(), does("accept")), does("decline"))).toMatchObject({ outcome: "refused" });
  });

  it("confirms what was detected and never goes back", () => {
    const detected = edited(trip(), say("ENROUTE_TO_PICKUP"), seen("ARRIVED_AT_PICKUP", 0, 2));
    expect(edited(detected, does("arrive", 0))).toMatchObject({ statusSource: "explicit" });
    const ahead = edited(detected, seen("ENROUTE_TO_DROPOFF", 1, 3));
    expect(applyEdit(ahead, does("arrive", 0))).toEqual({ outcome: "unchanged" });
  });

  it("leaves out no pickup and names no waypoint that is not there", () => {
    expect(applyEdit(trip(), does("start", 0))).toMatchObject({ code: "TRANSITION_ILLEGAL" });
    expect(applyEdit(trip(), does("arrive", 0))).toMatchObject({ outcome: "changed" });
    expect(applyEdit(trip("pickup"), does("arrive", 2))).toMatchObject({ code: "TRANSITION_ILLEGAL" });
    expect(applyEdit(trip(), does("arrive", 7))).toMatchObject({ code: "TRANSITION_ILLEGAL" });
  });
});

describe("detected phases", () => {
  it("go forward, also when the pipeline is one detection ahead of the store", () => {
    const current = edited(
      trip(),
      seen("ENROUTE_TO_PICKUP", 0, 1, 2_000),
      seen("ARRIVED_AT_PICKUP", 0, 1, 3_000),
    );
    expect(current).toMatchObject({
      status: "ARRIVED_AT_PICKUP",
      statusSource: "detected",
      statusAtMs: 3_000,
    });
  });

  it("never override an explicit status that they did not know, nor an update", () => {
    const explicit = edited(trip(), say("ENROUTE_TO_PICKUP", 2_000));
    expect(applyEdit(explicit, seen("ARRIVED_AT_PICKUP", 0, 1, 9_000))).toMatchObject({ outcome: "refused" });
    expect(edited(explicit, seen("ARRIVED_AT_PICKUP", 0, 2, 9_000)).status).toBe("ARRIVED_AT_PICKUP");
    const rerouted = edited(trip(), seen("ENROUTE_TO_PICKUP", 0, 1, 2_000), {
      kind: "update",
      waypoints: [stop("pickup", 58), stop("dropoff")],
      atMs: 5_000,
    });
    expect(applyEdit(rerouted, seen("ARRIVED_AT_PICKUP", 0, 2, 4_000))).toMatchObject({ outcome: "refused" });
  });

  it("never go back, never end a trip, never name a waypoint of another kind, never come from the past", () => {
    const under = edited(trip(), say("ARRIVED_AT_PICKUP"), say("ENROUTE_TO_DROPOFF", 5_000));
    const refused = [
      seen("ARRIVED_AT_PICKUP", 0, 3, 6_000),
      seen("COMPLETE", 2, 3, 6_000),
      seen("ARRIVED_AT_DROPOFF", 0, 3, 6_000),
      seen("ARRIVED_AT_DROPOFF", 1, 3, 4_000),
      seen("ARRIVED_AT_DROPOFF", 1, 4, 6_000),
    ];
    for (const edit of refused) expect(applyEdit(under, edit)).toMatchObject({ outcome: "refused" });
    expect(applyEdit(under, seen("ENROUTE_TO_DROPOFF", 1, 1, 1))).toEqual({ outcome: "unchanged" });
  });
});

describe("updates", () => {
  it("change the driver: new generation, spans close and open, NEW again before the pickup is left", () => {
    const current = edited(trip(), say("ARRIVED_AT_PICKUP"), { kind: "update", driverId: "d2", atMs: 3_000 });
    expect(current).toMatchObject({ driverId: "d2", generation: 2, status: "NEW", waypointIndex: 0 });
    expect(current.assignments).toEqual([
      { driverId: "d1", fromMs: 1_000, toMs: 3_000 },
      { driverId: "d2", fromMs: 3_000, toMs: 0 },
    ]);
  });

  it("keep the status of a trip under way when its driver changes", () => {
    const under = edited(trip(), say("ENROUTE_TO_PICKUP"), say("ENROUTE_TO_DROPOFF"));
    expect(edited(under, { kind: "update", driverId: "d2", atMs: 3_000 })).toMatchObject({
      status: "ENROUTE_TO_DROPOFF",
      waypointIndex: 1,
      generation: 2,
    });
  });

  it("raise the generation when the first rider of a trip without driver changes", () => {
    const free = edited(trip(), { kind: "update", driverId: "", atMs: 2_000 });
    expect(edited(free, { kind: "update", riderIds: ["r2", "r1"], atMs: 3_000 }).generation).toBe(3);
    expect(edited(trip(), { kind: "update", riderIds: ["r2", "r1"], atMs: 3_000 }).generation).toBe(1);
  });

  it("replace the waypoints ahead and keep those reached; the status follows the kind", () => {
    const under = edited(trip(), say("ARRIVED_AT_PICKUP"), say("ENROUTE_TO_DROPOFF"));
    const detour = edited(under, {
      kind: "update",
      waypoints: [stop("intermediate", 57.8), stop("dropoff")],
      atMs: 3_000,
    });
    expect(detour.waypoints.map((waypoint) => waypoint.kind)).toEqual(["pickup", "intermediate", "dropoff"]);
    expect(detour).toMatchObject({ status: "ENROUTE_TO_INTERMEDIATE_DESTINATION", waypointIndex: 1 });
    const waiting = edited(trip(), say("ARRIVED_AT_PICKUP"), {
      kind: "update",
      waypoints: [stop("dropoff", 58)],
      atMs: 3_000,
    });
    expect(waiting.waypoints).toHaveLength(2);
  });

  it("are refused when the result is no trip, and after the end", () => {
    const pickups = { kind: "update" as const, waypoints: [stop("pickup"), stop("pickup")], atMs: 3_000 };
    expect(applyEdit(trip(), pickups)).toMatchObject({ code: "FIELD_INVALID", field: "waypoints[1].kind" });
    const stranger = { ...stop("dropoff"), riderId: "r9" };
    const edit = { kind: "update" as const, waypoints: [stop("pickup"), stranger], atMs: 3_000 };
    expect(applyEdit(trip(), edit)).toMatchObject({ code: "FIELD_INVALID", field: "waypoints[1].rider_id" });
    const over = edited(trip(), say("CANCELED"));
    expect(applyEdit(over, { kind: "update", driverId: "d2", atMs: 3_000 })).toMatchObject({
      code: "TRIP_ENDED",
    });
  });

  it("that change nothing are no version", () => {
    const same = {
      kind: "update" as const,
      driverId: "d1",
      riderIds: ["r1"],
      waypoints: trip().waypoints,
      atMs: 9_000,
    };
    expect(applyEdit(trip(), same)).toEqual({ outcome: "unchanged" });
  });
});

const kinds = fc.array(fc.constantFrom<WaypointKind>("pickup", "intermediate", "dropoff"), { maxLength: 3 });
const atMs = fc.integer({ min: 1_000, max: 9_999 });
const edits: fc.Arbitrary<TripEdit> = fc.oneof(
  fc.record({
    kind: fc.constant("status" as const),
    status: fc.constantFrom(...TRIP_STATUSES),
    atMs,
  }),
  fc.record({
    kind: fc.constant("detected" as const),
    status: fc.constantFrom(...TRIP_STATUSES),
    waypointIndex: fc.integer({ min: -1, max: 5 }),
    tripVersion: fc.nat(12),
    atMs,
  }),
  fc.record({
    kind: fc.constant("action" as const),
    action: fc.constantFrom(...TRIP_ACTIONS),
    waypointIndex: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
    atMs,
  }),
  fc.record({
    kind: fc.constant("sharing" as const),
    riderId: fc.constantFrom("r1", "r2"),
    granted: fc.boolean(),
    atMs,
  }),
  fc.record({
    kind: fc.constant("cancel" as const),
    reason: fc.string({ maxLength: 5 }),
    atMs,
  }),
  fc.record(
    {
      kind: fc.constant("update" as const),
      driverId: fc.constantFrom("", "d1", "d2"),
      riderIds: fc.constantFrom<string[]>(["r1"], ["r2"], ["r1", "r2"]),
      waypoints: kinds.map((list) => [...list.map((kind) => stop(kind)), stop("dropoff")]),
      atMs,
    },
    { requiredKeys: ["kind", "atMs"] },
  ),
);

/** What holds for every trip, whatever happened to it. */
function expectSound(current: Trip): void {
  const { waypoints, waypointIndex, status, assignments } = current;
  expect(waypoints[0]!.kind).toBe("pickup");
  expect(waypoints.at(-1)!.kind).toBe("dropoff");
  if (isRunning(current)) {
    expect(current.endedAtMs).toBe(0);
    if (status === "NEW") expect(waypointIndex).toBe(0);
    else expect(status).toBe(statusAt(waypoints[waypointIndex]!.kind, status.startsWith("ARRIVED")));
  } else {
    expect(waypointIndex).toBe(waypoints.length);
    expect(current.statusSource).toBe("explicit");
  }
  for (const riderId of current.sharingRiderIds) expect(current.riderIds).toContain(riderId);
  const open = assignments.filter((span) => span.toMs === 0).map((span) => span.driverId);
  expect(open).toEqual(isRunning(current) && current.driverId ? [current.driverId] : []);
}

describe("sharing", () => {
  const share = (granted: boolean, riderId = "r1"): TripEdit => ({
    kind: "sharing",
    riderId,
    granted,
    atMs: 2_000,
  });

  it("is granted and taken back by a rider of the trip, a version each; a repeat changes nothing", () => {
    const start = trip();
    expect(start.sharingRiderIds).toEqual([]);
    const granted = edited(start, share(true));
    expect(granted).toMatchObject({ version: 2, generation: 1, sharingRiderIds: ["r1"], updatedAtMs: 2_000 });
    expect(applyEdit(granted, share(true))).toEqual({ outcome: "unchanged" });
    const back = edited(granted, share(false));
    expect(back).toMatchObject({ version: 3, sharingRiderIds: [] });
    expect(applyEdit(back, share(false))).toEqual({ outcome: "unchanged" });
  });

  it("is refused after the trip's end, and to who is not on it", () => {
    const over = edited(trip(), { kind: "cancel", reason: "", atMs: 3_000 });
    for (const granted of [true, false])
      expect(applyEdit(over, share(granted))).toMatchObject({ outcome: "refused", code: "TRIP_ENDED" });
    expect(applyEdit(trip(), share(true, "r2"))).toMatchObject({ outcome: "refused", code: "NOT_FOUND" });
  });

  it("ends for a rider who is taken off the trip, also when put on again, and for no other", () => {
    const both = edited(trip(), { kind: "update", riderIds: ["r1", "r2"], atMs: 2_000 });
    const shared = edited(both, share(true), share(true, "r2"));
    const alone = edited(shared, { kind: "update", riderIds: ["r2"], atMs: 2_000 });
    expect(alone.sharingRiderIds).toEqual(["r2"]);
    const again = edited(alone, { kind: "update", riderIds: ["r1", "r2"], atMs: 2_000 });
    expect(again.sharingRiderIds).toEqual(["r2"]);
  });
});

describe("any sequence of edits", () => {
  it("leads only to sound trips, one version at a time, over no leg twice unless a person says so", () => {
    fc.assert(
      fc.property(kinds, fc.array(edits, { maxLength: 25 }), (between, sequence) => {
        let current = trip(...between);
        for (const edit of sequence) {
          const before = JSON.stringify(current);
          const result = applyEdit(current, edit);
          expect(JSON.stringify(current)).toBe(before);
          if (result.outcome === "refused") expect(result.reason.length).toBeGreaterThan(5);
          if (result.outcome !== "changed") continue;
          const next = result.trip;
          expectSound(next);
          expect(next.version).toBe(current.version + 1);
          expect(next.updatedAtMs).toBeGreaterThanOrEqual(current.updatedAtMs);
          expect(isRunning(current)).toBe(true);
          if (edit.kind === "detected") expect(stageOf(next)).toBeGreaterThan(stageOf(current));
          if (edit.kind === "status") expect(stageOf(next)).toBeGreaterThanOrEqual(stageOf(current) - 2);
          if (next.driverId !== current.driverId) expect(next.generation).toBe(current.generation + 1);
          current = next;
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
