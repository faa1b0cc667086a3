import { describe, expect, test, vi } from "vitest";
import type { VirtualClock } from "../core/virtual-clock.ts";
import type { Revocation, Revocations, SignedIn } from "./revocations.ts";

/** How the suite gets at one engine of Revocations: every harness is an empty registry of its own. */
export type RevocationsHarness = AsyncDisposable & {
  clock: VirtualClock;
  /** A process with the registry open, closed with the harness. */
  open(maxRevocations?: number): Promise<Revocations>;
  /** True when several processes may have it open at once. */
  shared: boolean;
};

const DAY_MS = 86_400_000;
/** What the port promises other processes. */
const KNOWN_WITHIN_MS = 1_000;

/** For tests: a session of the user with the fewest words. */
export function signedInOf(user: string, signInId = "in-1", sessionId = ""): SignedIn {
  return { user, signInId, sessionId };
}

/** The promises of the port Revocations as tests. */
export function revocationsContract(name: string, start: () => Promise<RevocationsHarness>): void {
  const revocationOf = (harness: RevocationsHarness, signedIn: SignedIn, forMs = DAY_MS): Revocation => ({
    ...signedIn,
    untilMs: harness.clock.now() + forMs,
  });

  describe(`${name} keep the promises of Revocations`, () => {
    test("what was revoked is revoked at once, that user's sign-in and that user's session, and nothing else", async () => {
      await using harness = await start();
      const revocations = await harness.open();
      await revocations.revoke(revocationOf(harness, signedInOf("driver/d1", "in-1", "session-1")));
      expect(revocations.isRevoked(signedInOf("driver/d1", "in-1"))).toBe(true);
      expect(revocations.isRevoked(signedInOf("driver/d1", "in-2", "session-1"))).toBe(true);
      expect(revocations.isRevoked(signedInOf("driver/d1", "in-1", "session-2"))).toBe(true);
      expect(revocations.isRevoked(signedInOf("driver/d1", "in-2", "session-2"))).toBe(false);
      expect(revocations.isRevoked(signedInOf("driver/d1", "session-1", "in-1"))).toBe(false);
      expect(revocations.isRevoked(signedInOf("driver/d2", "in-1", "session-1"))).toBe(false);
      expect(revocations.isRevoked(signedInOf("rider/d1", "in-1", "session-1"))).toBe(false);
    });

    test("what names no session or no sign-in revokes none by that", async () => {
      await using harness = await start();
      const revocations = await harness.open();
      await revocations.revoke(revocationOf(harness, signedInOf("ops/an o@example.org", "in-1")));
      expect(revocations.isRevoked(signedInOf("ops/an o@example.org", "in-1"))).toBe(true);
      expect(revocations.isRevoked(signedInOf("ops/an o@example.org", "in-2"))).toBe(false);
    });

    test("listeners hear of it, each on its own, until they leave", async () => {
      await using harness = await start();
      const revocations = await harness.open();
      const [one, other] = [vi.fn(), vi.fn()];
      const leave = revocations.watch(one);
      revocations.watch(other);
      const meant = revocationOf(harness, signedInOf("driver/d1"));
      await revocations.revoke(meant);
      expect(one).toHaveBeenCalledWith(meant);
      leave[Symbol.dispose]();
      const heard = one.mock.calls.length;
      await revocations.revoke(revocationOf(harness, signedInOf("driver/d2")));
      await vi.waitFor(() =>
        expect(other).toHaveBeenCalledWith(expect.objectContaining({ user: "driver/d2" })),
      );
      expect(one).toHaveBeenCalledTimes(heard);
    });

    test("a process that opens later knows all that holds, and nothing holds longer than it was to", async () => {
      await using harness = await start();
      const first = await harness.open();
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          first.revoke(revocationOf(harness, signedInOf(`driver/d${i}`), i < 25 ? DAY_MS : 2 * DAY_MS)),
        ),
      );
      if (!harness.shared) await first[Symbol.asyncDispose]();
      const later = await harness.open();
      const revokedOf = (revocations: Revocations) =>
        Array.from({ length: 50 }, (_, i) => revocations.isRevoked(signedInOf(`driver/d${i}`)));
      expect(revokedOf(later)).toEqual(Array(50).fill(true));
      harness.clock.advanceTo(harness.clock.now() + DAY_MS);
      expect(revokedOf(later)).toEqual([...Array(25).fill(false), ...Array(25).fill(true)]);
      if (!harness.shared) await later[Symbol.asyncDispose]();
      const latest = await harness.open();
      expect(revokedOf(latest)).toEqual([...Array(25).fill(false), ...Array(25).fill(true)]);
    });

    test("who is revoked longer stays revoked for the longer time, whichever came first", async () => {
      await using harness = await start();
      const revocations = await harness.open();
      for (const forMs of [DAY_MS, 3 * DAY_MS, 2 * DAY_MS])
        await revocations.revoke(revocationOf(harness, signedInOf("driver/d1"), forMs));
      harness.clock.advanceTo(harness.clock.now() + 2.5 * DAY_MS);
      expect(revocations.isRevoked(signedInOf("driver/d1"))).toBe(true);
      harness.clock.advanceTo(harness.clock.now() + DAY_MS);
      expect(revocations.isRevoked(signedInOf("driver/d1"))).toBe(false);
    });

    test("at the bound further ones are refused and those that hold go on, until some are over", async () => {
      await using harness = await start();
      const revocations = await harness.open(2);
      await revocations.revoke(revocationOf(harness, signedInOf("driver/d1")));
      await revocations.revoke(revocationOf(harness, signedInOf("driver/d2"), 2 * DAY_MS));
      const third = () => revocations.revoke(revocationOf(harness, signedInOf("driver/d3"), 3 * DAY_MS));
      await expect(third()).rejects.toMatchObject({ code: "OVERLOADED" });
      expect(revocations.isRevoked(signedInOf("driver/d3"))).toBe(false);
      expect(revocations.isRevoked(signedInOf("driver/d1"))).toBe(true);
      harness.clock.advanceTo(harness.clock.now() + DAY_MS);
      await third();
      expect(revocations.isRevoked(signedInOf("driver/d3"))).toBe(true);
      expect(revocations.isRevoked(signedInOf("driver/d2"))).toBe(true);
    });

    test("every process that has it open knows within a second, and its listeners too", async (context) => {
      await using harness = await start();
      context.skip(!harness.shared, "there is one process only");
      const [one, ...others] = [await harness.open(), await harness.open(), await harness.open()];
      const heard = others.map((other) => {
        const listener = vi.fn();
        other.watch(listener);
        return listener;
      });
      const meant = revocationOf(harness, signedInOf("driver/d1", "in-1", "session-1"));
      await one.revoke(meant);
      const holdsElsewhere = () => {
        for (const [i, other] of others.entries()) {
          expect(other.isRevoked(signedInOf("driver/d1"))).toBe(true);
          expect(heard[i]).toHaveBeenCalledWith(meant);
        }
      };
      await vi.waitFor(holdsElsewhere, { timeout: KNOWN_WITHIN_MS, interval: 5 });
    });
  });
}
