import { BimrideError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";

export type AvailabilityOptions = {
  clock: Clock;
  /** The log counts as away when it has been silent or gone for so long. */
  awayAfterMs: number;
  /** Asks the stream's leader for the room left in the stream. */
  roomBytes(): Promise<number>;
};

/** How often a log that is away or in trouble is asked about itself while no append would show it. */
const PROBE_MS = 500;
/** With so much room a log that was full no longer counts as full. */
const ROOM_BYTES = 64 << 10;

/** What is known of whether appends work: told by their outcomes, by the connection, and by asking in between. */
export class Availability {
  readonly #options: AvailabilityOptions;
  #away = false;
  #fault: BimrideError | undefined;
  #lostAtMs: number | undefined;
  #lastAnswerAtMs: number;
  #probedAtMs = 0;

  constructor(options: AvailabilityOptions) {
    this.#options = options;
    this.#lastAnswerAtMs = options.clock.monotonic();
  }

  /** Appends are refused while it is. */
  get away(): boolean {
    return this.#away;
  }

  /** True while the connection is known to be lost. */
  get lost(): boolean {
    return this.#lostAtMs !== undefined;
  }

  /** Undefined while appends work, else what the last one met. */
  get fault(): BimrideError | undefined {
    return this.#away
      ? (this.#fault ?? new BimrideError("LOG_UNAVAILABLE", "The log does not answer."))
      : this.#fault;
  }

  connected(): void {
    this.#lostAtMs = undefined;
  }

  disconnected(): void {
    this.#lostAtMs ??= this.#options.clock.monotonic();
  }

  /** An append was acknowledged. */
  succeeded(): void {
    this.#lastAnswerAtMs = this.#options.clock.monotonic();
    this.#away = false;
    this.#fault = undefined;
  }

  /** An append was rejected on account of the log. */
  failed(fault: BimrideError): void {
    this.#fault = fault;
  }

  /** @param oldestAtMs when the oldest append under way was asked for; undefined when none is */
  look(nowMs: number, oldestAtMs: number | undefined): void {
    const { awayAfterMs } = this.#options;
    const silentSinceMs = this.#lostAtMs ?? Math.max(this.#lastAnswerAtMs, oldestAtMs ?? nowMs);
    this.#away ||= nowMs - silentSinceMs >= awayAfterMs;
    const idle = oldestAtMs === undefined && !this.lost;
    if (idle && (this.#away || this.#fault) && nowMs - this.#probedAtMs >= PROBE_MS) void this.#probe(nowMs);
  }

  async #probe(nowMs: number): Promise<void> {
    this.#probedAtMs = nowMs;
    try {
      const roomBytes = await this.#options.roomBytes();
      if (this.lost) return;
      this.#lastAnswerAtMs = this.#options.clock.monotonic();
      this.#away = false;
      if (this.#fault?.code !== "LOG_FULL" || roomBytes >= ROOM_BYTES) this.#fault = undefined;
    } catch {
      // Still away; asked again.
    }
  }
}
