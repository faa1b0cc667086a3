import { distanceM, type LatLon } from "../internal/core/geo.ts";
import { type AddressBook, createAddressBook } from "./addresses.ts";
import type { CarPhase } from "./car.ts";
import { DEVICE_DEFAULTS, type DeviceSettings } from "./device.ts";
import { advanceMember, createMembers, type DeviceOutput, type Member } from "./member.ts";
import { createRandom, type Random } from "./random.ts";
import type { RoadGraph } from "./road-graph.ts";
import { pathLengthM, type RoadPath } from "./road-path.ts";
import type { Motion } from "./timetable.ts";

export type { DeviceOutput } from "./member.ts";

export type FleetSettings = Partial<DeviceSettings> & {
  /** The same seed gives the same cars, drives, noise and requests. */
  seed: number;
  /** How many cars, 1…10,000. Their drivers are `demo-driver-001` and so on. */
  cars: number;
  graph: RoadGraph;
  /** When the simulation starts, milliseconds since 1970. */
  startMs: number;
};

/** A car entered a phase by itself; those that `plan` and `abandon` bring about are not told. After `at_dropoff` comes `cruising`. */
export type FleetEvent = { atMs: number; driverId: string; phase: CarPhase };

/** A wish for a ride. Both places lie on streets and at least 1.2 km apart. */
export type TripRequest = { riderId: string; pickup: LatLon; dropoff: LatLon };

/** What a car will do for a trip. */
export type PlannedTrip = {
  /**
   * The path from where the car is to the pickup and on to the dropoff. In the demo city at most some 1,200
   * points (a trip may have 5,000).
   */
  plannedPath: LatLon[];
  /** The point of `plannedPath` that is the pickup. */
  pickupIndex: number;
  /** Where the car really stops: the nodes nearest to what was asked for. */
  pickup: LatLon;
  dropoff: LatLon;
  lengthM: number;
};

/** The truth about a car. */
export type CarState = Motion & { driverId: string; phase: CarPhase; isFree: boolean };

/**
 * A simulated fleet. No input or output, no clock of its own: the caller says what time it is. Cars without a job
 * cruise and park; `plan` gives one a job, which it drives to its end by itself. Throws a RangeError for a driver
 * that is not of the fleet.
 */
export type Fleet = {
  readonly driverIds: readonly string[];
  /**
   * Brings all cars to `nowMs` (never back) and returns what their phones captured since the last call, only for
   * those that have something or went on- or offline. To be called at least once per fix interval; after a pause of
   * more than 10 minutes (a machine that slept) the phones' fixes of all but the last 10 minutes are never taken.
   */
  advance(nowMs: number): DeviceOutput[];
  /**
   * Sends a free car to a pickup and on to a dropoff, from the moment of the last `advance`. Throws a RangeError when
   * the car is not free, or when both places are nearest to the same node.
   */
  plan(driverId: string, pickup: LatLon, dropoff: LatLon): PlannedTrip;
  /** Ends a car's job early; nothing for a free car. */
  abandon(driverId: string): void;
  /** Changes of phase since the last call, in the order of time per car; at most 20 per car, then the oldest are lost. */
  events(): FleetEvent[];
  /** A random wish, more often near the centre; riders are `demo-rider-0001`…`demo-rider-9999`, then again from 1. */
  randomTripRequest(): TripRequest;
  /** The free car nearest to a place as the crow flies, if any is free. */
  nearestFree(place: LatLon): CarState | undefined;
  /** Milliseconds that the driver's phone clock is ahead of the true one: its fixes carry that clock's times. */
  clockAheadMs(driverId: string): number;
  /** Where a car really is at the moment of the last `advance`, and what it is doing. */
  car(driverId: string): CarState;
};

const EVENTS_PER_CAR = 20;
const SHORTEST_TRIP_M = 1200;
const LONGEST_TRIP_M = 7000;
const MOST_RIDERS = 9999;

/** Makes a fleet, parked; a RangeError tells of a setting out of range. Takes some 10 ms. */
export function createFleet(settings: FleetSettings): Fleet {
  if (!(settings.cars >= 1 && settings.cars <= 10_000)) throw new RangeError("cars: 1…10,000");
  const deviceSettings = { ...DEVICE_DEFAULTS, ...settings };
  const addresses = createAddressBook(settings.graph);
  const members = createMembers(settings, deviceSettings, addresses);
  const byId = new Map(members.map((member) => [member.driverId, member]));
  const events: FleetEvent[] = [];
  let nowMs = settings.startMs;

  const find = (driverId: string) => {
    const member = byId.get(driverId);
    if (!member) throw new RangeError("no such driver");
    return member;
  };
  const stateOf = ({ driverId, car }: Member): CarState => ({
    driverId,
    phase: car.phase(),
    isFree: car.isFree(),
    ...car.motion(nowMs),
  });
  const note = (event: FleetEvent) => {
    if (events.length >= EVENTS_PER_CAR * members.length) events.shift();
    events.push(event);
  };

  return {
    driverIds: members.map(({ driverId }) => driverId),
    advance(untilMs) {
      nowMs = Math.max(nowMs, untilMs);
      return members
        .map((member) =>
          advanceMember(member, nowMs, deviceSettings.fixIntervalMs, (phase, atMs) =>
            note({ atMs, driverId: member.driverId, phase }),
          ),
        )
        .filter((output) => output !== undefined);
    },
    plan: (driverId, pickup, dropoff) => planTrip(find(driverId), nowMs, addresses, pickup, dropoff),
    abandon: (driverId) => find(driverId).car.abandon(nowMs),
    events: () => events.splice(0),
    randomTripRequest: createWishes(addresses, createRandom(settings.seed, "wishes")),
    nearestFree(place) {
      const awayM = (car: CarState) => distanceM(car.latDeg, car.lonDeg, place.latDeg, place.lonDeg);
      const free = members.filter(({ car }) => car.isFree()).map(stateOf);
      return free.reduce<CarState | undefined>(
        (best, car) => (best && awayM(best) <= awayM(car) ? best : car),
        undefined,
      );
    },
    clockAheadMs: (driverId) => find(driverId).device.clockAheadMs,
    car: (driverId) => stateOf(find(driverId)),
  };
}

function planTrip(
  { car }: Member,
  nowMs: number,
  addresses: AddressBook,
  pickup: LatLon,
  dropoff: LatLon,
): PlannedTrip {
  if (!car.isFree()) throw new RangeError("the car is not free");
  const [from, to] = [addresses.nearest(pickup), addresses.nearest(dropoff)];
  if (from === to) throw new RangeError("pickup and dropoff are the same place");
  const job = car.start(nowMs, from, to);
  const toPickup = pathPoints(job.toPickup);
  return {
    plannedPath: [...toPickup, ...pathPoints(job.toDropoff).slice(1)],
    pickupIndex: toPickup.length - 1,
    pickup: addresses.position(from),
    dropoff: addresses.position(to),
    lengthM: pathLengthM(job.toPickup) + pathLengthM(job.toDropoff),
  };
}

function createWishes(addresses: AddressBook, random: Random): () => TripRequest {
  let riders = 0;
  return () => {
    const pickup = addresses.random(random);
    const dropoff = addresses.random(random, (node) => {
      const apartM = addresses.distanceM(pickup, node);
      return apartM >= SHORTEST_TRIP_M && apartM <= LONGEST_TRIP_M;
    });
    riders = (riders % MOST_RIDERS) + 1;
    return {
      riderId: `demo-rider-${String(riders).padStart(4, "0")}`,
      pickup: addresses.position(pickup),
      dropoff: addresses.position(dropoff),
    };
  };
}

function pathPoints(path: RoadPath): LatLon[] {
  return Array.from(path.latDeg, (latDeg, point) => ({ latDeg, lonDeg: path.lonDeg[point]! }));
}
