import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LiveChange } from "../core/live.ts";
import { formatVersion } from "../core/version.ts";
import { MemoryLatest } from "../latest/memory/memory-latest.ts";
import type { Lease } from "../partitions/lease.ts";
import { CAR, HERE, logOf, plain, steps } from "../pipeline/test-drives.ts";
import { HistoryView } from "./history.ts";
import { LiveView } from "./live.ts";
import { Projection } from "./projection.ts";
import * as kit from "./test-world.ts";

type Member = Awaited<ReturnType<typeof member>>;

/** A processor over the world's log: live and history projections, with a lease that the test grants and takes. */
async function member(world: kit.World, latest: MemoryLatest, published: LiveChange[], epoch: number) {
  let valid = true;
  const lease = (partition: number): Lease => ({ partition, epoch, valid: () => valid });
  const bus = {
    publish: (change: LiveChange) => void published.push(structuredClone(change)),
    publishRider: () => {},
  };
  const { clock, limits, history } = world;
  const deps = { ...world, lease };
  const past = await Projection.start(
    deps,
    new HistoryView({ history, limits, clock, lease, storePeriodMs: 0, chunkRewriteMs: 15_000 }),
    [],
  );
  const live = await Projection.start(
    deps,
    new LiveView({ bus, latest, clock, limits, lease, propose: () => {} }),
    [],
  );
  return {
    live,
    past,
    own: (partitions: number[]) => Promise.all([live.own(partitions), past.own(partitions)]),
    /** Its lease is over, without its being told. */
    expire: () => {
      valid = false;
    },
    async [Symbol.asyncDispose]() {
      await live[Symbol.asyncDispose]();
      await past[Symbol.asyncDispose]();
    },
  };
}

async function caughtUp({ log }: kit.World, { live, past }: Member): Promise<void> {
  const { last } = await log.bounds(HERE);
  await kit.until(() => live.storedCursor(HERE) >= last && past.storedCursor(HERE) >= last);
}

/** What one processor alone would have published. */
async function alone(log: ReturnType<typeof logOf>): Promise<LiveChange[]> {
  await using world = await kit.openWorld();
  const published: LiveChange[] = [];
  await using only = await member(world, new MemoryLatest(world.clock), published, 1);
  await kit.appendAll(world.log, log);
  await only.own([HERE]);
  await caughtUp(world, only);
  return published;
}

const words = ({ tripId, version }: LiveChange) => `${tripId} ${formatVersion(version)}`;

describe("a partition that changes hands", () => {
  test("goes on where its owner was: nothing published twice, nothing missing in history", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          steps.map((list) => list.map(plain)),
          { minLength: 1, maxLength: 1 },
        ),
        fc.nat(),
        async ([script], cut) => {
          const log = logOf(script!);
          const expected = await alone(log);
          await using world = await kit.openWorld();
          const published: LiveChange[] = [];
          const latest = new MemoryLatest(world.clock);
          await using first = await member(world, latest, published, 1);
          await using second = await member(world, latest, published, 2);
          const half = cut % (log.length + 1);
          await first.own([HERE]);
          await kit.appendAll(world.log, log.slice(0, half));
          await caughtUp(world, first);
          await first.own([]);
          await second.own([HERE]);
          await kit.appendAll(world.log, log.slice(half));
          await caughtUp(world, second);
          expect(published.map(words)).toEqual(expected.map(words));
          await second.own([]);
          const seqs = (await kit.recorded(world, [CAR])).map(({ sessionId, seq }) => `${sessionId} ${seq}`);
          expect(new Set(seqs).size).toBe(seqs.length);
        },
      ),
      { numRuns: 15 },
    );
  });

  test("that was lost is not written by its former owner any more, and the next one computes the same versions", async () => {
    await using world = await kit.openWorld();
    const published: LiveChange[] = [];
    const latest = new MemoryLatest(world.clock);
    await using first = await member(world, latest, published, 1);
    await using second = await member(world, latest, published, 2);
    const log = logOf(Array.from({ length: 40 }, () => CALM));
    await first.own([HERE]);
    await kit.appendAll(world.log, log.slice(0, 20));
    await caughtUp(world, first);
    first.expire();
    await second.own([HERE]);
    await kit.appendAll(world.log, log.slice(20));
    await caughtUp(world, second);
    const before = await latest.party(`driver/${CAR}`);
    await first.own([]);
    expect(await latest.party(`driver/${CAR}`)).toEqual(before);
    expect(await world.snapshots.load("live-02")).toBeUndefined();
    // Both read the second half: each version was published by both, with the same content.
    const byVersion = Map.groupBy(published, words);
    for (const changes of byVersion.values())
      expect(new Set(changes.map((one) => JSON.stringify({ ...one, position: undefined }))).size).toBe(1);
    // What of the last chunk waits for its time is in the snapshot; given away, it is stored.
    await second.own([]);
    expect(await kit.recorded(world, [CAR])).toHaveLength(40);
  });
});

const CALM = {
  ...{ gapS: 4, count: 1, jumpM: 0, delaysS: [0], session: 0, clockStepS: 0 },
  ...{ trip: "none" as const, device: "none" as const },
};
