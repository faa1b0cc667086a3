import type { RateInput } from "./rate-input.ts";

/** What makes any rate slower, within the bounds. */
export type Slowdown = {
  /** What WantedRate.reason says when it made a difference. */
  readonly code: string;
  /** When, in words, for docs/API.md. */
  readonly when: string;
  /** By how much, in words. */
  readonly effect: string;
  /** Why so, in words. */
  readonly why: string;
  /** Positions of some 10 m will do, unless a waypoint is near. */
  readonly coarser: boolean;
  /** @param stays it held in the last decision: its thresholds are those of leaving it */
  holds(input: RateInput, stays: boolean): boolean;
  /** The interval is multiplied by it; 1 or more. */
  factor(input: RateInput): number;
};

const LOW_BATTERY_PERCENT = { enter: 15, leave: 20 };

/** Each that holds applies, in this order. */
export const SLOWDOWNS: readonly Slowdown[] = [
  {
    code: "LOW_BATTERY",
    when: `at most ${LOW_BATTERY_PERCENT.enter} % of battery left and no charger, or the device saves power`,
    effect: "× 1.5, not high accuracy",
    why: "a phone that dies is shown nowhere",
    coarser: true,
    holds: ({ device }, stays) =>
      device.charging !== true &&
      (device.powerSave === true ||
        (device.batteryPercent ?? 100) <= (stays ? LOW_BATTERY_PERCENT.leave : LOW_BATTERY_PERCENT.enter)),
    factor: () => 1.5,
  },
  {
    code: "NO_NETWORK",
    when: "the device says that it has no network, or is in airplane mode",
    effect: "× 2",
    why: "what is recorded now comes later, for the record only",
    coarser: false,
    holds: ({ device }) => device.network === "none" || device.airplaneMode === true,
    factor: () => 2,
  },
  {
    code: "SERVER_BUSY",
    when: "this gateway is busy",
    effect: "× 1.5; watched trips as they are",
    why: "what nobody watches waits first",
    coarser: false,
    holds: ({ load }) => load === 1,
    factor: (input) => (isWatchedTrip(input) ? 1 : 1.5),
  },
  {
    code: "SERVER_OVERLOADED",
    when: "this gateway can hardly keep up",
    effect: "× 2.5; watched trips × 1.5",
    why: "all of it a little later rather than some of it not at all",
    coarser: false,
    holds: ({ load }) => load === 2,
    factor: (input) => (isWatchedTrip(input) ? 1.5 : 2.5),
  },
];

function isWatchedTrip({ tripStatus, watched }: RateInput): boolean {
  return tripStatus !== undefined && watched;
}
