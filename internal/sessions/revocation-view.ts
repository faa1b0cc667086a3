import { BimrideError } from "../core/errors.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import type { Revocation, SignedIn } from "./revocations.ts";

/** Those that are over are looked for at most this often. */
const SWEEP_PERIOD_MS = 60_000;

/** What one process knows of revocations; engines fill it. */
export class RevocationView {
  readonly #clock: Pick<Clock, "now">;
  readonly #limits: Pick<Limits, "maxRevocations">;
  readonly #onListenerError: (error: unknown) => void;
  readonly #listeners = new Set<(revocation: Revocation) => void>();
  readonly #held = new Map<string, Revocation>();
  /** Until when, by sign-in and by session; the longest counts. */
  readonly #untilMs = new Map<string, number>();
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  /** @param onListenerError told what a listener threw; the others hear of it all the same */
  constructor(
    clock: Pick<Clock, "now">,
    limits: Pick<Limits, "maxRevocations">,
    onListenerError: (error: unknown) => void,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#onListenerError = onListenerError;
  }

  /** Those that hold now, each once. */
  get held(): readonly Revocation[] {
    this.#sweep(0);
    return [...this.#held.values()];
  }

  /** Throws OVERLOADED when there is no room for one more. */
  checkRoom(): void {
    if (this.#held.size < this.#limits.maxRevocations) return;
    this.#sweep(0);
    if (this.#held.size >= this.#limits.maxRevocations)
      throw new BimrideError("OVERLOADED", "There are as many revocations as there may be.");
  }

  /** It holds from now on. Those that are over, and those known, change nothing and are told to nobody. */
  add(revocation: Revocation): void {
    this.#sweep(SWEEP_PERIOD_MS);
    const { user, signInId, sessionId, untilMs } = revocation;
    const key = JSON.stringify([user, signInId, sessionId]);
    if (untilMs <= this.#clock.now() || untilMs <= (this.#held.get(key)?.untilMs ?? 0)) return;
    this.#held.set(key, revocation);
    for (const each of namesOf(revocation))
      this.#untilMs.set(each, Math.max(untilMs, this.#untilMs.get(each) ?? 0));
    for (const listener of [...this.#listeners]) {
      try {
        listener(revocation);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }

  isRevoked(signedIn: SignedIn): boolean {
    if (this.#untilMs.size === 0) return false;
    const nowMs = this.#clock.now();
    return namesOf(signedIn).some((name) => (this.#untilMs.get(name) ?? 0) > nowMs);
  }

  watch(listener: (revocation: Revocation) => void): Disposable {
    // A wrapper of its own, so that the same function given twice is two listeners.
    const own = (revocation: Revocation) => listener(revocation);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }

  #sweep(periodMs: number): void {
    const nowMs = this.#clock.now();
    if (nowMs - this.#sweptAtMs < periodMs) return;
    this.#sweptAtMs = nowMs;
    for (const [key, { untilMs }] of this.#held) if (untilMs <= nowMs) this.#held.delete(key);
    for (const [name, untilMs] of this.#untilMs) if (untilMs <= nowMs) this.#untilMs.delete(name);
  }
}

function namesOf({ user, signInId, sessionId }: SignedIn): string[] {
  const names: string[] = [];
  if (signInId !== "") names.push(`i ${signInId} ${user}`);
  if (sessionId !== "") names.push(`s ${sessionId} ${user}`);
  return names;
}
