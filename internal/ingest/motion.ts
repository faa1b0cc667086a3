import { bearingDeg, distanceM } from "../core/geo.ts";
import type { FixInput } from "./messages.ts";

/** Two fixes further apart in time say nothing of how the device moves now. */
const MAX_GAP_MS = 60_000;
/** Two fixes nearer together in time say it too roughly. */
const MIN_GAP_MS = 400;
/** Below it a course is noise. */
const MIN_TURNING_SPEED_MPS = 2;

/** How a device moves, by its newest fixes; kept up to date with every batch, without objects. NaN while unknown. */
export class Motion {
  latDeg = Number.NaN;
  lonDeg = Number.NaN;
  speedMps = Number.NaN;
  /** How fast the course changes, degrees per second. */
  turningDegps = Number.NaN;
  #headingDeg = Number.NaN;
  /** Device clock. */
  #capturedAtMs = Number.NEGATIVE_INFINITY;

  /** Looks at the newest fix of a batch, unless a newer one was looked at before. Faulty ones are of no account. */
  see(fixes: readonly FixInput[]): void {
    let newest: FixInput | undefined;
    let newestMs = this.#capturedAtMs;
    for (const fix of fixes) {
      if (!(fix.capturedAtMs > newestMs)) continue;
      newest = fix;
      newestMs = fix.capturedAtMs;
    }
    if (newest) this.#take(newest);
  }

  /** Nothing is known any more: another device, or another run of the app. */
  forget(): void {
    this.latDeg = this.lonDeg = this.speedMps = this.turningDegps = this.#headingDeg = Number.NaN;
    this.#capturedAtMs = Number.NEGATIVE_INFINITY;
  }

  #take({ latDeg, lonDeg, capturedAtMs, speedMps, headingDeg }: FixInput): void {
    if (latDeg === undefined || lonDeg === undefined) return;
    if (!(Math.abs(latDeg) <= 90 && Math.abs(lonDeg) <= 180)) return;
    const gapMs = capturedAtMs - this.#capturedAtMs;
    const follows = gapMs >= MIN_GAP_MS && gapMs <= MAX_GAP_MS;
    const movedM = follows ? distanceM(this.latDeg, this.lonDeg, latDeg, lonDeg) : Number.NaN;
    const speed = speedMps ?? (movedM / gapMs) * 1_000;
    const heading =
      headingDeg ?? (movedM > 0 ? bearingDeg(this.latDeg, this.lonDeg, latDeg, lonDeg) : Number.NaN);
    this.turningDegps =
      follows && speed >= MIN_TURNING_SPEED_MPS
        ? (turn(this.#headingDeg, heading) / gapMs) * 1_000
        : Number.NaN;
    this.latDeg = latDeg;
    this.lonDeg = lonDeg;
    this.speedMps = speed;
    this.#headingDeg = heading;
    this.#capturedAtMs = capturedAtMs;
  }
}

/** Degrees from one course to the other the short way round, 0…180. */
function turn(fromDeg: number, toDeg: number): number {
  const around = Math.abs(toDeg - fromDeg) % 360;
  return around > 180 ? 360 - around : around;
}
