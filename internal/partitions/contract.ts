import { describe, expect, test } from "vitest";
import type { Clock } from "../core/time.ts";
import type { Lease, Leases } from "./lease.ts";
import type { Snapshots } from "./snapshots.ts";

/** How the suite gets at one engine of Leases: every harness is an empty store of its own. */
export type LeasesHarness = {
  /** Opens it; again after the one before was disposed gives the same store. */
  open(settings: { clock: Pick<Clock, "now">; partitions: number }): Promise<Leases>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** How the suite gets at one engine of Snapshots. */
export type SnapshotsHarness = {
  /** Opens it; again gives the same store. */
  open(): Promise<Snapshots>;
  /** Changes what is stored under the name, behind the engine's back. */
  damage(name: string, change: (stored: Buffer) => Buffer): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

async function firstHeld(leases: Leases, count: number): Promise<readonly Lease[]> {
  const complete = Promise.withResolvers<readonly Lease[]>();
  await leases.held((held) => {
    if (held.length === count) complete.resolve(held);
  });
  return complete.promise;
}

/** The promises of the port Leases, for one process alone, as tests. */
export function leasesContract(name: string, start: () => Promise<LeasesHarness>): void {
  describe(`${name} keep the promises of Leases`, () => {
    test("a process alone comes to hold every partition, validly", async () => {
      await using harness = await start();
      await using leases = await harness.open({ clock: { now: () => 5_000 }, partitions: 4 });
      const held = await firstHeld(leases, 4);
      expect(held.map(({ partition }) => partition).toSorted()).toEqual([0, 1, 2, 3]);
      expect(held.every((lease) => lease.valid() && lease.epoch >= 5_000)).toBe(true);
    });

    test("epochs grow from start to start, also when the wall clock went back", async () => {
      await using harness = await start();
      const epochs: number[] = [];
      for (const nowMs of [1_000, 1_000, 500, 9_000, 9_001]) {
        await using leases = await harness.open({ clock: { now: () => nowMs }, partitions: 2 });
        const held = await firstHeld(leases, 2);
        epochs.push(held.find(({ partition }) => partition === 1)!.epoch);
      }
      expect(epochs).toEqual([1_000, 1_001, 1_002, 9_000, 9_001]);
    });

    test("given back, a lease is not valid any more and its holder is told", async () => {
      await using harness = await start();
      const leases = await harness.open({ clock: { now: () => 1_000 }, partitions: 2 });
      const held = await firstHeld(leases, 2);
      const told: number[] = [];
      await leases.held((now) => {
        told.push(now.length);
      });
      await leases[Symbol.asyncDispose]();
      expect(held.some((lease) => lease.valid())).toBe(false);
      expect(told).toEqual([2, 0]);
    });

    test("given back, a lease is valid until its holder has stored what is open", async () => {
      await using harness = await start();
      const leases = await harness.open({ clock: { now: () => 1_000 }, partitions: 2 });
      const held = await firstHeld(leases, 2);
      const stored = Promise.withResolvers<void>();
      const told = Promise.withResolvers<void>();
      await leases.held(async (now) => {
        if (now.length > 0) return;
        told.resolve();
        await stored.promise;
      });
      const closing = leases[Symbol.asyncDispose]();
      await told.promise;
      expect(held.every((lease) => lease.valid())).toBe(true);
      stored.resolve();
      await closing;
      expect(held.some((lease) => lease.valid())).toBe(false);
    });

    test("a listener whose first call fails is not added, and one that fails later keeps nobody from the end", async () => {
      await using harness = await start();
      const leases = await harness.open({ clock: { now: () => 1_000 }, partitions: 2 });
      await expect(
        leases.held(() => {
          throw new RangeError("not now");
        }),
      ).rejects.toThrow("not now");
      const held = await firstHeld(leases, 2);
      const told: number[] = [];
      await leases.held((now) => {
        told.push(now.length);
        if (now.length === 0) throw new RangeError("not then");
      });
      await leases[Symbol.asyncDispose]();
      await leases[Symbol.asyncDispose]();
      expect(told).toEqual([2, 0]);
      expect(held.some((lease) => lease.valid())).toBe(false);
    });
  });
}

/** The promises of the port Snapshots as tests. */
export function snapshotsContract(name: string, start: () => Promise<SnapshotsHarness>): void {
  describe(`${name} keep the promises of Snapshots`, () => {
    const bytes = (...values: number[]) => Uint8Array.from(values);

    test("what was saved last is loaded, also after opening again", async () => {
      await using harness = await start();
      const snapshots = await harness.open();
      expect(await snapshots.load("live-07")).toBeUndefined();
      await snapshots.save("live-07", bytes(1, 2, 3));
      await snapshots.save("live-08", bytes());
      await Promise.all([4, 5, 6].map((value) => snapshots.save("live-07", bytes(value))));
      const again = await harness.open();
      expect(await again.load("live-07")).toEqual(bytes(6));
      expect(await again.load("live-08")).toEqual(bytes());
      expect(await again.load("live-09")).toBeUndefined();
    });

    test("a large one comes back whole", async () => {
      await using harness = await start();
      const snapshots = await harness.open();
      const body = Uint8Array.from({ length: (4 << 20) + 7 }, (_, i) => (i * 2_654_435_761) >>> 24);
      await snapshots.save("live-07", body);
      const loaded = await (await harness.open()).load("live-07");
      expect(Buffer.compare(loaded!, body)).toBe(0);
    });

    test("a torn or altered snapshot is none, and can be saved again", async () => {
      await using harness = await start();
      const snapshots = await harness.open();
      const body = Uint8Array.from({ length: 300 }, (_, i) => i);
      const flipped = (at: number) => (stored: Buffer) => {
        stored[at]! ^= 1;
        return stored;
      };
      const damages = [0, 20, 100, 339].map(flipped);
      const cuts = [0, 10, 39, 40, 339].map((length) => (stored: Buffer) => stored.subarray(0, length));
      for (const damage of [...damages, ...cuts, (stored: Buffer) => Buffer.concat([stored, stored])]) {
        await snapshots.save("live-07", body);
        await harness.damage("live-07", damage);
        expect(await snapshots.load("live-07")).toBeUndefined();
      }
      await snapshots.save("live-07", body);
      expect(await snapshots.load("live-07")).toEqual(body);
    });
  });
}
