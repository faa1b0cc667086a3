import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { BimrideError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";

/** Somebody whose phone joined: a driver, and the rider who watches the driver's car. */
export type Guest = { driverId: string; riderId: string };
/** What a guest's tokens are for. */
export type GuestRole = "driver" | "rider";

/** Begins every id of a guest, so that their trips can be told from others'. */
export const GUEST_PREFIX = "phone-";

/** Guests at a time. When there are as many, those who were silent for long make room; else OVERLOADED. */
const MAX_GUESTS = 20;
const SILENT_MS = 30 * 60_000;
/** No vowels, no characters that look like others. */
const LETTERS = "bcdfghjkmnpqrstvwxz23456789";
const SUFFIX_LENGTH = 4;
const KEY_BYTES = 32;

export type GuestsDeps = {
  /** Who has it may join; random, of at least 128 bits. */
  joinCode: string;
  clock: Pick<Clock, "monotonic">;
  randomBytes(count: number): Uint8Array;
};

/** The guests of one start: ids, and secrets that are good for their tokens until the process ends. */
export class Guests {
  readonly #deps: GuestsDeps;
  /** Signs the secrets, so that none has to be kept. */
  readonly #key: Uint8Array;
  readonly #seenAtMs = new Map<string, number>();

  constructor(deps: GuestsDeps) {
    this.#deps = deps;
    this.#key = deps.randomBytes(KEY_BYTES);
  }

  /**
   * Lets somebody in who has the code. Throws TOKEN_INVALID, or OVERLOADED when there is no room.
   * @returns the guest, and those who had to make room
   */
  join(code: unknown): { guest: Guest; left: Guest[] } {
    if (typeof code !== "string" || !isEqual(code, this.#deps.joinCode))
      throw new BimrideError("TOKEN_INVALID", "The code is not that of this start.");
    const left = this.#makeRoom();
    const guest = guestOf(this.#newDriverId());
    this.#saw(guest.driverId);
    return { guest, left };
  }

  /** The secret with which a page gets tokens of that role for the guest, again and again. */
  secretOf({ driverId }: Guest, role: GuestRole): string {
    return `${role}.${driverId}.${this.#seal(role, driverId)}`;
  }

  /** Who may have a token by this secret. Throws TOKEN_INVALID, also for guests who had to make room. */
  bySecret(secret: unknown): { guest: Guest; role: GuestRole } {
    const [role, driverId = "", seal = "", ...rest] = typeof secret === "string" ? secret.split(".") : [];
    const isRole = role === "driver" || role === "rider";
    if (
      !isRole ||
      rest.length > 0 ||
      !isEqual(seal, this.#seal(role, driverId)) ||
      !this.#seenAtMs.has(driverId)
    )
      throw new BimrideError("TOKEN_INVALID", "The secret is not one of this start.");
    this.#saw(driverId);
    return { guest: guestOf(driverId), role };
  }

  /** The guest of that driver's id; undefined when there is none. */
  byDriver(driverId: string): Guest | undefined {
    if (!this.#seenAtMs.has(driverId)) return undefined;
    this.#saw(driverId);
    return guestOf(driverId);
  }

  #makeRoom(): Guest[] {
    if (this.#seenAtMs.size < MAX_GUESTS) return [];
    const nowMs = this.#deps.clock.monotonic();
    const silent = [...this.#seenAtMs].filter(([, seenAtMs]) => nowMs - seenAtMs > SILENT_MS);
    if (silent.length === 0) throw new BimrideError("OVERLOADED", `At most ${MAX_GUESTS} phones at a time.`);
    for (const [driverId] of silent) this.#seenAtMs.delete(driverId);
    return silent.map(([driverId]) => guestOf(driverId));
  }

  #newDriverId(): string {
    for (;;) {
      const letters = [...this.#deps.randomBytes(SUFFIX_LENGTH)].map(
        (byte) => LETTERS[byte % LETTERS.length],
      );
      const driverId = GUEST_PREFIX + letters.join("");
      if (!this.#seenAtMs.has(driverId)) return driverId;
    }
  }

  #saw(driverId: string): void {
    this.#seenAtMs.set(driverId, this.#deps.clock.monotonic());
  }

  #seal(role: GuestRole, driverId: string): string {
    return createHmac("sha256", this.#key).update(`${role} ${driverId}`).digest("base64url");
  }
}

function guestOf(driverId: string): Guest {
  return { driverId, riderId: `${driverId}-rider` };
}

/** In the same time whatever is different: digests, so that lengths are none of it either. */
function isEqual(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
