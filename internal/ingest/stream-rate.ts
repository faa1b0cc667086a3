import type { DeviceState, PartyKind } from "../core/fix.ts";
import { distanceM } from "../core/geo.ts";
import type { Limits } from "../core/limits.ts";
import type { Trip } from "../core/trip.ts";
import type { IngestEvents } from "./events.ts";
import type { LoadGauge } from "./load-gauge.ts";
import type { FixInput } from "./messages.ts";
import { Motion } from "./motion.ts";
import type { LoadLevel, RateInput } from "./rate-input.ts";
import { RateKeeper, type RateKeeperLimits } from "./rate-keeper.ts";
import { decideRate, type RateDecision, type RateLimits, type WantedRate } from "./wanted-rate.ts";

/** Between an edge's word and this gateway, and until a subscription stands. */
const HEARING_SLACK_MS = 2_000;

/** The running trip of a party; "unknown" while the trips store has not answered. */
export type KnownTrip = Trip | undefined | "unknown";

export type StreamRateDeps = {
  limits: RateLimits & RateKeeperLimits & Pick<Limits, "watchedForMs" | "watchedRepeatMs">;
  load: Pick<LoadGauge, "level">;
  events: Pick<IngestEvents, "wantedRate">;
};

/**
 * The wanted rate of one party as one stream knows it: gathers what the policy asks for and says what to tell the client.
 * Times are of a monotonic clock. The gateway's load is looked at when fixes come, so that its changes reach the streams
 * spread over their intervals and not all at once.
 */
export class StreamRate {
  readonly #deps: StreamRateDeps;
  readonly #tripNow: () => KnownTrip;
  readonly #motion = new Motion();
  #kind: PartyKind = "driver";
  #trip: KnownTrip;
  #device: DeviceState = {};
  #watchedTripId = "";
  #watchedUntilMs = Number.NEGATIVE_INFINITY;
  #decision: RateDecision | undefined;
  #decidedAsWatched = false;
  #keeper: RateKeeper | undefined;

  /** @param tripNow the party's running trip, as far as known */
  constructor(deps: StreamRateDeps, tripNow: () => KnownTrip) {
    this.#deps = deps;
    this.#tripNow = tripNow;
  }

  /** The rate that a Welcome tells of; from now on changes are told. */
  begin(kind: PartyKind, nowMs: number): WantedRate {
    const { limits, events } = this.#deps;
    this.#kind = kind;
    this.#noteTrip(nowMs);
    if (!this.#isWatched(nowMs)) this.viewersUnknown(nowMs);
    const { rate } = this.#decide(nowMs);
    this.#keeper = new RateKeeper(rate, limits);
    events.wantedRate(rate.reason);
    return rate;
  }

  /** Another run of the app, on whatever device: what is known of the one before is of no account. */
  forget(): void {
    this.#motion.forget();
    this.#device = {};
    this.#keeper = undefined;
    this.#decision = undefined;
  }

  /** What the device says of itself now. */
  deviceState(state: DeviceState, nowMs: number): WantedRate | undefined {
    this.#device = state;
    return this.#changed(nowMs);
  }

  /** Fixes came. */
  fixes(fixes: readonly FixInput[], nowMs: number): WantedRate | undefined {
    this.#motion.see(fixes);
    return this.#changed(nowMs);
  }

  /** The party's trip may be another, or another version of it. */
  tripChanged(nowMs: number): WantedRate | undefined {
    return this.#changed(nowMs);
  }

  /** An edge says that somebody watches the trip. */
  watched(tripId: string, forMs: number, nowMs: number): WantedRate | undefined {
    this.#watchedTripId = tripId;
    this.#watchedUntilMs = nowMs + Math.min(forMs, this.#deps.limits.watchedForMs);
    return this.#changed(nowMs);
  }

  /** Of viewers nothing can be heard, or not yet: until they would have been heard, somebody is taken to watch the trip. */
  viewersUnknown(nowMs: number): void {
    const trip = this.#trip;
    this.#watchedTripId = typeof trip === "object" ? trip.tripId : "";
    this.#watchedUntilMs = nowMs + this.#deps.limits.watchedRepeatMs + HEARING_SLACK_MS;
  }

  /** Time passed: what waited is due, or nothing was heard of viewers any more. */
  tick(nowMs: number): WantedRate | undefined {
    if (this.#decidedAsWatched !== this.#isWatched(nowMs)) return this.#changed(nowMs);
    return this.#keeper?.waits ? this.#tell(this.#keeper.due(nowMs)) : undefined;
  }

  #changed(nowMs: number): WantedRate | undefined {
    const isOtherTrip = this.#noteTrip(nowMs);
    const keeper = this.#keeper;
    return keeper && this.#tell(keeper.decide(this.#decide(nowMs).rate, nowMs, isOtherTrip));
  }

  /** True when the trip is another one, or gone, which is no flicker. */
  #noteTrip(nowMs: number): boolean {
    const trip = this.#tripNow();
    const isOther = idOf(trip) !== idOf(this.#trip);
    this.#trip = trip;
    if (isOther && typeof trip === "object" && !this.#isWatched(nowMs)) this.viewersUnknown(nowMs);
    return isOther;
  }

  #tell(rate: WantedRate | undefined): WantedRate | undefined {
    if (rate) this.#deps.events.wantedRate(rate.reason);
    return rate;
  }

  #decide(nowMs: number): RateDecision {
    const { limits, load } = this.#deps;
    const watched = this.#isWatched(nowMs);
    const input = inputOf(this.#kind, this.#trip, watched, this.#motion, this.#device, load.level);
    this.#decidedAsWatched = watched;
    this.#decision = decideRate(input, limits, this.#decision);
    return this.#decision;
  }

  /** A driver's viewers watch the driver's trip; which trip a rider's are on, the rider's stream does not know. */
  #isWatched(nowMs: number): boolean {
    if (nowMs >= this.#watchedUntilMs || this.#watchedTripId === "") return false;
    return this.#kind === "rider" || this.#watchedTripId === idOf(this.#trip);
  }
}

/** The rate for who sends by calls: their viewers are not heard of, so somebody is taken to watch whoever is on a trip. */
export function rateOfCall(
  kind: PartyKind,
  trip: KnownTrip,
  fixes: readonly FixInput[],
  device: DeviceState | undefined,
  { limits, load }: Pick<StreamRateDeps, "limits" | "load">,
): WantedRate {
  const motion = new Motion();
  motion.see(fixes);
  return decideRate(inputOf(kind, trip, kind === "driver", motion, device ?? {}, load.level), limits).rate;
}

function inputOf(
  kind: PartyKind,
  trip: KnownTrip,
  watched: boolean,
  motion: Motion,
  device: DeviceState,
  load: LoadLevel,
): RateInput {
  const { latDeg, lonDeg, speedMps, turningDegps } = motion;
  const known = typeof trip === "object" ? trip : undefined;
  const waypoint = known?.waypoints[known.waypointIndex]?.position;
  const distanceToWaypointM = waypoint
    ? distanceM(latDeg, lonDeg, waypoint.latDeg, waypoint.lonDeg)
    : Number.NaN;
  const tripStatus = trip === "unknown" ? "UNKNOWN" : known?.status;
  return { kind, tripStatus, watched, distanceToWaypointM, speedMps, turningDegps, device, load };
}

/** The trip's id; of no trip and of one that is not known others than of any trip. */
function idOf(trip: KnownTrip): string {
  return typeof trip === "object" ? trip.tripId : (trip ?? "");
}
