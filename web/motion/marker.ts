import { between, distanceM, type Place } from "./flat-earth.ts";
import { FADE_MS, type Pose, poseAt } from "./pose.ts";
import { MAX_SPEED_MPS, type MotionPoint, Track } from "./track.ts";

/** Delay before the rhythm of the fixes is known, and its bounds, milliseconds. */
const FIRST_DELAY_MS = 4_500;
const MIN_DELAY_MS = 800;
const MAX_DELAY_MS = 12_000;
/** Part of the delay on top of the interval: network and processing. */
const SPARE_MS = 500;
/** Arrivals looked at for the rhythm. */
const RHYTHM = 8;
/** Further behind than this the playhead jumps instead of hurrying (a page that slept). */
const HURRY_MS = 15_000;
/** The shown time runs at most so much faster than real time while it catches up. */
const MAX_RATE = 1.6;
/** … and so much slower while the delay grows: slow motion rather than a stop. */
const MIN_RATE = 0.6;
/** A correction of the shown place up to this is glided away, beyond it is a cut. */
const GLIDE_M = 90;
/** Time constant of the glide. */
const GLIDE_TAU_MS = 350;

/**
 * The live marker: shows the car about one interval late, so that it always has a known way ahead. The shown time never
 * goes back, whatever arrives late or twice. What was reckoned wrongly is glided away, a leap is faded.
 *
 * Give it `nowMs` in the clock of the points (server time). Pure but for its own state: no clock, no randomness.
 */
export class Marker {
  readonly #track = new Track();
  #arrivals: { atMs: number; tMs: number }[] = [];
  #playheadMs = Number.NEGATIVE_INFINITY;
  #sampledAtMs = Number.NEGATIVE_INFINITY;
  #shown: Place | undefined;
  /** What the pose said of the last sample: a leap between two samples of a dead reckoning shows here. */
  #correction: { latDeg: number; lonDeg: number } | undefined;
  #fadeSinceMs = Number.NEGATIVE_INFINITY;

  /** A new newest position. Older ones than the newest are taken as late. */
  push(point: MotionPoint, nowMs: number): void {
    const newest = this.#track.newest;
    this.#track.insert(point);
    if (newest && point.tMs <= newest.tMs) return;
    this.#arrivals.push({ atMs: nowMs, tMs: point.tMs });
    if (this.#arrivals.length > RHYTHM) this.#arrivals.shift();
  }

  /** Places that are known late: the way is corrected, the shown time is not. */
  insert(points: Iterable<MotionPoint>): void {
    for (const point of points) this.#track.insert(point);
  }

  /** Another car, or another trip: forgets all. */
  reset(): void {
    this.#track.clear();
    this.#arrivals = [];
    this.#playheadMs = Number.NEGATIVE_INFINITY;
    this.#sampledAtMs = Number.NEGATIVE_INFINITY;
    this.#shown = undefined;
    this.#correction = undefined;
    this.#fadeSinceMs = Number.NEGATIVE_INFINITY;
  }

  /** How far behind the present the marker is meant to be, milliseconds: one interval and what the way here takes. */
  delayMs(): number {
    if (this.#arrivals.length < 3) return FIRST_DELAY_MS;
    const gaps = this.#arrivals.slice(1).map((arrival, i) => arrival.tMs - this.#arrivals[i]!.tMs);
    const lags = this.#arrivals.map((arrival) => arrival.atMs - arrival.tMs);
    const delayMs = median(gaps) + Math.max(0, median(lags)) + SPARE_MS;
    return Math.min(MAX_DELAY_MS, Math.max(MIN_DELAY_MS, delayMs));
  }

  /** The car as it is to be drawn now; undefined before the first point. */
  sample(nowMs: number): Pose | undefined {
    if (this.#track.points.length === 0) return undefined;
    const stepMs = Math.max(0, nowMs - this.#sampledAtMs);
    this.#sampledAtMs = Math.max(nowMs, this.#sampledAtMs);
    const slept = this.#advance(nowMs, stepMs);
    const pose = poseAt(this.#track, this.#playheadMs)!;
    return this.#settle(pose, slept ? Number.POSITIVE_INFINITY : stepMs, nowMs);
  }

  /** Moves the shown time on; true when it leapt. */
  #advance(nowMs: number, stepMs: number): boolean {
    const first = this.#track.points[0]!.tMs;
    const targetMs = Math.max(first, nowMs - this.delayMs());
    if (targetMs - this.#playheadMs > HURRY_MS) {
      this.#playheadMs = targetMs;
      return true;
    }
    const aheadMs = targetMs - this.#playheadMs;
    this.#playheadMs += aheadMs < 0 ? stepMs * MIN_RATE : Math.min(aheadMs, stepMs * MAX_RATE);
    return false;
  }

  /** Glides away what a correction of the way moved at once, or fades when it is too far. */
  #settle(pose: Pose, stepMs: number, nowMs: number): Pose {
    const last = this.#shown;
    this.#shown = { latDeg: pose.latDeg, lonDeg: pose.lonDeg };
    if (!last) return pose;
    const leapM = distanceM(last, pose);
    // What a car may drive between two samples. A leap of the track itself is a cut, which the pose fades.
    const drivenM = (Math.min(stepMs, 1_000) / 1000) * MAX_SPEED_MPS * MAX_RATE + 1;
    if (leapM > drivenM && pose.opacity === 1) {
      if (leapM > GLIDE_M || !Number.isFinite(stepMs)) {
        this.#correction = undefined;
        this.#fadeSinceMs = nowMs;
      } else this.#addCorrection(last, pose);
    }
    const fade = Math.min(1, Math.max(0, (nowMs - this.#fadeSinceMs) / FADE_MS));
    return { ...this.#glided(pose, stepMs), opacity: Math.min(pose.opacity, fade) };
  }

  #addCorrection(from: Place, to: Place): void {
    const old = this.#correction ?? { latDeg: 0, lonDeg: 0 };
    this.#correction = {
      latDeg: old.latDeg + from.latDeg - to.latDeg,
      lonDeg: old.lonDeg + from.lonDeg - to.lonDeg,
    };
  }

  #glided(pose: Pose, stepMs: number): Pose {
    const correction = this.#correction;
    if (!correction) return pose;
    const from = { latDeg: pose.latDeg + correction.latDeg, lonDeg: pose.lonDeg + correction.lonDeg };
    const share = 1 - Math.exp(-stepMs / GLIDE_TAU_MS);
    const place = between(from, pose, share);
    const left = distanceM(place, pose);
    this.#correction =
      left < 0.3 ? undefined : { latDeg: place.latDeg - pose.latDeg, lonDeg: place.lonDeg - pose.lonDeg };
    return { ...pose, ...place };
  }
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
