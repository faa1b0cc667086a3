import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { Trip } from "../core/trip.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { PartyMessage } from "./bus.ts";
import { tripOf } from "./kit.ts";
import { MemoryBus } from "./memory/memory-bus.ts";
import { BusPresence } from "./presence.ts";

const TRIP_ID = "se1-0000000000000000000000000a";
const START_MS = 1_700_000_000_000;
const { watchedRepeatMs, watchedForMs } = DEFAULT_LIMITS;

async function world(limits = DEFAULT_LIMITS) {
  const clock = new VirtualClock(START_MS);
  const bus = new MemoryBus((error) => {
    throw error;
  });
  const heard: { atMs: number; message: PartyMessage }[] = [];
  for (const party of ["driver/d1", "driver/d2", "rider/r1"])
    await bus.listen(party, (message) => heard.push({ atMs: clock.now() - START_MS, message }));
  const presence = new BusPresence({ bus, clock, limits });
  return { clock, heard, presence, at: (ms: number) => clock.advanceTo(START_MS + ms) };
}
const trip: Trip = { ...tripOf(TRIP_ID), driverId: "d1", riderIds: ["r1"], status: "ENROUTE_TO_PICKUP" };
const told = (partyKey: string, atMs = 0) => ({
  ...{ partyKey, kind: "watched", tripId: TRIP_ID },
  ...{ forMs: watchedForMs, saidAtMs: START_MS + atMs },
});

describe("BusPresence", () => {
  it("tells the driver at the first viewer, again while somebody stays, and nothing more when the last one left", async () => {
    const { heard, presence, at } = await world();
    const first = presence.stay("rider/r1", () => trip);
    const second = presence.stay("support/s1", () => trip);
    expect(heard).toEqual([{ atMs: 0, message: told("driver/d1") }]);
    first[Symbol.dispose]();
    at(5 * watchedRepeatMs);
    expect(heard).toHaveLength(6);
    second[Symbol.dispose]();
    at(20 * watchedRepeatMs);
    expect(heard).toHaveLength(6);
  });

  it("never lets it lapse while somebody stays, whenever they came", async () => {
    const { heard, presence, at } = await world();
    at(watchedRepeatMs / 2 + 100);
    presence.stay("rider/r1", () => trip);
    at(10 * watchedRepeatMs);
    const gapsMs = heard.slice(1).map(({ atMs }, i) => atMs - heard[i]!.atMs);
    expect(gapsMs.length).toBeGreaterThan(5);
    expect(Math.max(...gapsMs)).toBeLessThan(watchedForMs - 2_000);
  });

  it("counts who asks again and again, once per period however often they ask", async () => {
    const { heard, presence, at } = await world();
    for (let atMs = 0; atMs < 6 * watchedRepeatMs; atMs += 1_000) {
      at(atMs);
      presence.look("rider/r1", trip);
    }
    expect(heard).toHaveLength(6);
  });

  it("follows the trip to another driver, and tells nobody of a trip that is over, has no driver, or shows no car", async () => {
    const { heard, presence, at } = await world();
    let now: Trip | undefined = trip;
    presence.stay("rider/r1", () => now);
    now = { ...trip, driverId: "d2" };
    at(watchedRepeatMs);
    expect(heard.at(-1)?.message).toEqual(told("driver/d2", watchedRepeatMs));
    const before = heard.length;
    for (const none of [undefined, { ...trip, driverId: "" }, { ...trip, status: "COMPLETE" } as Trip]) {
      now = none;
      at((heard.length + 10) * watchedRepeatMs);
    }
    expect(heard).toHaveLength(before);
  });

  it("does not tell drivers that they watch themselves, but their riders", async () => {
    const { heard, presence } = await world();
    presence.stay("driver/d1", () => trip);
    expect(heard.map(({ message }) => message)).toEqual([told("rider/r1")]);
  });

  it("tells of a driver who looks only those riders who still wait to be picked up", async () => {
    const { heard, presence } = await world();
    const [first, second] = trip.waypoints;
    const shared = { ...trip, riderIds: ["r1", "r2"], type: "shared" as const };
    const pickups = [
      { ...first!, riderId: "r1" },
      { ...first!, riderId: "r2" },
    ];
    const waypoints = [...pickups, { ...second!, riderId: "" }];
    presence.look("driver/d1", { ...shared, waypoints, waypointIndex: 1 });
    presence.look("driver/d1", { ...trip, waypointIndex: 1, status: "ENROUTE_TO_DROPOFF" });
    expect(heard).toEqual([]);
    presence.look("driver/d1", { ...shared, waypoints, waypointIndex: 0 });
    expect(heard.map(({ message }) => message)).toEqual([told("rider/r1")]);
  });

  it("remembers a bounded number of trips", async () => {
    const { heard, presence } = await world({ ...DEFAULT_LIMITS, maxTripsTold: 1 });
    const other = { ...trip, tripId: "se1-0000000000000000000000000b" };
    for (const each of [trip, other, trip]) presence.look("rider/r1", each);
    expect(heard).toHaveLength(3);
  });
});
