import type { Fix } from "../internal/core/fix.ts";
import type { AddressBook } from "./addresses.ts";
import { type Car, type CarPhase, createCar } from "./car.ts";
import { createDeadZones, createDevice, type Device, type DeviceSettings } from "./device.ts";
import { createRandom } from "./random.ts";
import type { RoadGraph } from "./road-graph.ts";

/** What a phone gives to its driver app. */
export type DeviceOutput = {
  driverId: string;
  /**
   * Fixes in the order of capture, offline or not: keeping them is the app's business. `seq` counts from 0. Device times are
   * by the phone's own clock, which may be wrong.
   */
  fixes: Fix[];
  /** False while the phone has no network: the app's connection should be cut. */
  online: boolean;
};

/** A car of the fleet with its phone. */
export type Member = {
  driverId: string;
  car: Car;
  device: Device;
  nextCaptureMs: number;
  online: boolean;
};

/** After a longer pause the phones were asleep. */
const LONGEST_CATCH_UP_MS = 600_000;

/** The fleet's cars, parked at random addresses. */
export function createMembers(
  { seed, cars, graph, startMs }: { seed: number; cars: number; graph: RoadGraph; startMs: number },
  deviceSettings: DeviceSettings,
  addresses: AddressBook,
): Member[] {
  const zones = createDeadZones(graph, deviceSettings.deadZones, createRandom(seed, "zones"));
  return Array.from({ length: cars }, (_, index) => {
    const whims = createRandom(seed, `car ${index}`);
    return {
      driverId: `demo-driver-${String(index + 1).padStart(3, "0")}`,
      car: createCar(graph, whims, addresses.random(whims), startMs),
      device: createDevice(deviceSettings, zones, createRandom(seed, `device ${index}`), startMs),
      // Spread over the interval, so that the phones do not all speak at once.
      nextCaptureMs: startMs + Math.floor((index * deviceSettings.fixIntervalMs) / cars),
      online: true,
    };
  });
}

/**
 * Brings a car and its phone to `untilMs`. Undefined when the phone has nothing to send and neither lost nor found
 * its network.
 */
export function advanceMember(
  member: Member,
  untilMs: number,
  fixIntervalMs: number,
  onPhase: (phase: CarPhase, atMs: number) => void,
): DeviceOutput | undefined {
  const missed = Math.ceil((untilMs - LONGEST_CATCH_UP_MS - member.nextCaptureMs) / fixIntervalMs);
  if (missed > 0) member.nextCaptureMs += missed * fixIntervalMs;
  const wasOnline = member.online;
  const fixes: Fix[] = [];
  for (; member.nextCaptureMs <= untilMs; member.nextCaptureMs += fixIntervalMs) {
    member.car.settle(member.nextCaptureMs, onPhase);
    const captured = member.device.capture(member.nextCaptureMs, member.car.motion(member.nextCaptureMs));
    member.online = captured.online;
    if (captured.fix) fixes.push(captured.fix);
  }
  member.car.settle(untilMs, onPhase);
  if (fixes.length === 0 && member.online === wasOnline) return undefined;
  return { driverId: member.driverId, fixes, online: member.online };
}
