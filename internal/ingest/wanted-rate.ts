import type { Limits } from "../core/limits.ts";
import { RATE_CASES, type RateCase } from "./rate-cases.ts";
import type { RateInput, WantedAccuracy } from "./rate-input.ts";
import { SLOWDOWNS, type Slowdown } from "./rate-slowdowns.ts";

/** How often to send, how accurately, and why: the code of a case or of a slowdown. */
export type WantedRate = { intervalMs: number; accuracy: WantedAccuracy; reason: string };

/** A rate with what led to it, for the next decision: what holds is left later than it was entered. */
export type RateDecision = {
  readonly rate: WantedRate;
  readonly rateCase: RateCase;
  readonly slowdowns: readonly Slowdown[];
};

export type RateLimits = Pick<
  Limits,
  | "fastestWantedMs"
  | "slowestOnTripMs"
  | "slowestIdleMs"
  | "slowestRiderMs"
  | "delayedAfterMs"
  | "staleAfterMs"
  | "lostAfterMs"
>;

/** The rest of a freshness limit is for the way to the viewer. */
const SHARE_OF_FRESHNESS = 0.8;

/**
 * How often a party is to send: the first case that holds, slowed down by each slowdown that holds, within the bounds. The
 * reason is the last slowdown's that made a difference, else the case's. Pure.
 * @param before the decision before this one; undefined for the first
 */
export function decideRate(input: RateInput, limits: RateLimits, before?: RateDecision): RateDecision {
  const rateCase = RATE_CASES.find((each) => each.holds(input, each === before?.rateCase))!;
  const slowdowns = SLOWDOWNS.filter((each) => each.holds(input, before?.slowdowns.includes(each) ?? false));
  const slowestMs = slowestOf(input, limits);
  const within = (ms: number) => Math.floor(Math.max(limits.fastestWantedMs, Math.min(ms, slowestMs)));
  let { accuracy, code: reason } = rateCase;
  let intervalMs = within(rateCase.intervalMs);
  for (const slowdown of slowdowns) {
    const slowerMs = within(intervalMs * slowdown.factor(input));
    const coarser = slowdown.coarser && !rateCase.exact && accuracy === "high" ? "balanced" : accuracy;
    if (slowerMs !== intervalMs || coarser !== accuracy) reason = slowdown.code;
    intervalMs = slowerMs;
    accuracy = coarser;
  }
  return { rate: { intervalMs, accuracy, reason }, rateCase, slowdowns };
}

/** The most seldom that a party may be asked to send, so that its position never looks old by that alone. */
export function slowestOf(
  { kind, tripStatus, watched }: Pick<RateInput, "kind" | "tripStatus" | "watched">,
  limits: RateLimits,
): number {
  const isSeen = kind === "driver" ? tripStatus !== undefined : watched;
  const [slowestMs, freshMs] = isSeen
    ? [limits.slowestOnTripMs, limits.delayedAfterMs]
    : kind === "driver"
      ? [limits.slowestIdleMs, limits.staleAfterMs]
      : [limits.slowestRiderMs, limits.lostAfterMs];
  return Math.min(slowestMs, SHARE_OF_FRESHNESS * freshMs);
}
