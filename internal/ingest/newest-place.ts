import type { LatLon } from "../core/geo.ts";
import type { Limits } from "../core/limits.ts";
import type { FixInput } from "./messages.ts";
import type { SessionState } from "./session-state.ts";
import { faultOf, timeFaultOf } from "./validate.ts";

/**
 * Where the party is, as far as a batch tells anything new about it: the place of its newest fix, unless a newer one was
 * looked at before, or it is late, at fault, or too vague to tell on which side of a border it lies. Backlogs tell nothing.
 */
export function newestPlace(
  state: SessionState,
  fixes: readonly FixInput[],
  nowMs: number,
  limits: Limits,
): LatLon | undefined {
  let newest: FixInput | undefined;
  for (const fix of fixes) if (!newest || fix.capturedAtMs > newest.capturedAtMs) newest = fix;
  if (!newest || !(newest.capturedAtMs > state.placedAtMs)) return undefined;
  const ageMs = nowMs - newest.capturedAtMs - state.clockOffset.appliedMs;
  if (ageMs > limits.lateAfterMs || faultOf(newest) || timeFaultOf(ageMs, limits)) return undefined;
  if ((newest.accuracyM ?? 0) > limits.regionHysteresisM) return undefined;
  state.placedAtMs = newest.capturedAtMs;
  const { latDeg, lonDeg } = newest;
  return latDeg === undefined || lonDeg === undefined ? undefined : { latDeg, lonDeg };
}
