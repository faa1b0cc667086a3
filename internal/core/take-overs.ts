import type { Limits } from "./limits.ts";

/**
 * When others took a party's marker over, oldest first: at most maxTakeOversPerWindow times. The pipeline decides with it
 * who moves the marker, on its own clock; gateways mirror it, so that devices are told before they try.
 */
export type TakeOvers = number[];

export type TakeOverLimits = Pick<Limits, "maxTakeOversPerWindow" | "takeOverWindowMs">;

/** How long the next take-over must wait, milliseconds; 0 when there is room for it. */
export function takeOverWaitMs(takeOvers: TakeOvers, nowMs: number, limits: TakeOverLimits): number {
  const mustBePast = takeOvers[takeOvers.length - limits.maxTakeOversPerWindow];
  return mustBePast === undefined ? 0 : Math.max(0, mustBePast + limits.takeOverWindowMs - nowMs);
}

/** Notes that somebody took over now. */
export function noteTakeOver(takeOvers: TakeOvers, nowMs: number, limits: TakeOverLimits): void {
  takeOvers.push(nowMs);
  if (takeOvers.length > limits.maxTakeOversPerWindow) takeOvers.shift();
}
