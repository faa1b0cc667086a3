import type { TrailPoint } from "./live.ts";

/** The trail is cut only when it is by this share too long, so that not every fix moves the whole array. */
const SLACK = 1 / 3;
/** Numbers per point: time, latitude, longitude. */
const NUMBERS = 3;
const FIRST_CAPACITY = 8;
const NOTHING = new Float64Array(0);

/**
 * The trail of a trip's car, oldest first, as plain numbers: a processor holds millions of points, and as objects they
 * would keep its garbage collector busy. Exceeds its limit by a third at most; readers take the last `limit` points.
 */
export class Trail {
  #numbers = NOTHING;
  #length = 0;

  static of(points: readonly TrailPoint[]): Trail {
    const trail = new Trail();
    for (const point of points) trail.#insert(trail.#length, point);
    return trail;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds the newest point. */
  push(point: TrailPoint, limit: number): void {
    if (limit <= 0) return;
    this.#insert(this.#length, point);
    this.#cut(limit);
  }

  /** Adds a late point in order of time; false when it is there already or older than the last `limit` points. */
  add(point: TrailPoint, limit: number): boolean {
    let at = this.#length;
    while (at > 0 && this.capturedAtMs(at - 1) > point.capturedAtMs) at--;
    if (this.#length >= limit && at <= this.#length - limit) return false;
    if (at > 0 && this.capturedAtMs(at - 1) === point.capturedAtMs) return false;
    this.#insert(at, point);
    this.#cut(limit);
    return true;
  }

  /** Milliseconds since 1970 of the point, from 0 (the oldest). */
  capturedAtMs(index: number): number {
    return this.#numbers[index * NUMBERS]!;
  }

  latDeg(index: number): number {
    return this.#numbers[index * NUMBERS + 1]!;
  }

  lonDeg(index: number): number {
    return this.#numbers[index * NUMBERS + 2]!;
  }

  /** The caller's own. */
  toArray(): TrailPoint[] {
    return Array.from({ length: this.#length }, (_, i) => ({
      latDeg: this.latDeg(i),
      lonDeg: this.lonDeg(i),
      capturedAtMs: this.capturedAtMs(i),
    }));
  }

  #insert(index: number, { capturedAtMs, latDeg, lonDeg }: TrailPoint): void {
    const end = this.#length * NUMBERS;
    if (end === this.#numbers.length) this.#grow();
    const numbers = this.#numbers;
    const at = index * NUMBERS;
    if (at < end) numbers.copyWithin(at + NUMBERS, at, end);
    numbers[at] = capturedAtMs;
    numbers[at + 1] = latDeg;
    numbers[at + 2] = lonDeg;
    this.#length++;
  }

  #cut(limit: number): void {
    if (this.#length <= limit * (1 + SLACK)) return;
    this.#numbers.copyWithin(0, (this.#length - limit) * NUMBERS, this.#length * NUMBERS);
    this.#length = limit;
  }

  #grow(): void {
    const larger = new Float64Array(Math.max(FIRST_CAPACITY * NUMBERS, 2 * this.#numbers.length));
    larger.set(this.#numbers);
    this.#numbers = larger;
  }
}
