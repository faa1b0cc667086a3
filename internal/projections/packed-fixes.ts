import { FIX_SOURCES } from "../core/fix.ts";
import { flagsOf, LATE, MOCK, OUTLIER, SOURCE_MASK, SUPERSEDED } from "../history/codec.ts";
import type { RecordedFix } from "../history/history.ts";

/** Numbers per fix, in the order of {@link PackedFixes.add}. */
const NUMBERS = 14;
const FIRST_CAPACITY = 8;

/**
 * Recorded fixes of one session as plain numbers, exact. A processor holds hundreds of thousands of them for minutes; as
 * objects with boxed numbers they made up most of its heap, and marking them held it up for a second at a time.
 */
export class PackedFixes {
  readonly #sessionId: string;
  #numbers = new Float64Array(FIRST_CAPACITY * NUMBERS);
  #length = 0;

  constructor(sessionId: string) {
    this.#sessionId = sessionId;
  }

  get length(): number {
    return this.#length;
  }

  /** @param fix of the session */
  add(fix: RecordedFix): void {
    if (this.#length * NUMBERS === this.#numbers.length) this.#grow();
    const numbers = this.#numbers;
    const at = this.#length++ * NUMBERS;
    numbers[at] = fix.seq;
    numbers[at + 1] = fix.capturedAtMs;
    numbers[at + 2] = fix.latDeg;
    numbers[at + 3] = fix.lonDeg;
    numbers[at + 4] = fix.accuracyM;
    numbers[at + 5] = fix.speedMps;
    numbers[at + 6] = fix.headingDeg;
    numbers[at + 7] = fix.altitudeM;
    numbers[at + 8] = fix.sessionEpoch;
    numbers[at + 9] = fix.clockOffsetMs;
    numbers[at + 10] = fix.receivedAtMs;
    numbers[at + 11] = fix.publishedLatDeg;
    numbers[at + 12] = fix.publishedLonDeg;
    numbers[at + 13] = flagsOf(fix);
  }

  /** In the order of {@link add}; the caller's own. */
  toArray(): RecordedFix[] {
    return Array.from({ length: this.#length }, (_, i) => this.#read(i * NUMBERS));
  }

  #read(at: number): RecordedFix {
    const numbers = this.#numbers;
    const flags = numbers[at + 13]!;
    return {
      seq: numbers[at]!,
      capturedAtMs: numbers[at + 1]!,
      latDeg: numbers[at + 2]!,
      lonDeg: numbers[at + 3]!,
      accuracyM: numbers[at + 4]!,
      speedMps: numbers[at + 5]!,
      headingDeg: numbers[at + 6]!,
      altitudeM: numbers[at + 7]!,
      source: FIX_SOURCES[flags & SOURCE_MASK]!,
      mock: (flags & MOCK) !== 0,
      sessionId: this.#sessionId,
      sessionEpoch: numbers[at + 8]!,
      clockOffsetMs: numbers[at + 9]!,
      receivedAtMs: numbers[at + 10]!,
      publishedLatDeg: numbers[at + 11]!,
      publishedLonDeg: numbers[at + 12]!,
      late: (flags & LATE) !== 0,
      outlier: (flags & OUTLIER) !== 0,
      superseded: (flags & SUPERSEDED) !== 0,
    };
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#numbers.length);
    larger.set(this.#numbers);
    this.#numbers = larger;
  }
}
