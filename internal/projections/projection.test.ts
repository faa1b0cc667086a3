import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProjectionSnapshotSchema } from "../../gen/bimride/state/v1/projection_pb.ts";
import { createPartitionState } from "../pipeline/pipeline.ts";
import { encodeState } from "../pipeline/snapshot.ts";
import {
  batchOf,
  CAR,
  fixOf,
  HERE,
  logOf,
  nameOf,
  OTHER_CAR,
  plain,
  run,
  type Step,
  steps,
  T0,
} from "../pipeline/test-drives.ts";
import { HistoryView } from "./history.ts";
import { Projection } from "./projection.ts";
import * as kit from "./test-world.ts";

const DRIVERS = [CAR, OTHER_CAR];
type Log = ReturnType<typeof logOf>;
const CALM: Step = {
  ...{ gapS: 4, count: 1, jumpM: 0, delaysS: [0], session: 0, clockStepS: 0 },
  ...{ trip: "none", device: "none" },
};

/** Names of the fixes of a log, each once. */
function fixesIn(log: Log): string[] {
  const outs = run(createPartitionState(HERE), log);
  return outs.flatMap((out) => out.fixes.map(({ batch, fix }) => nameOf(batch, fix))).toSorted();
}

async function fixesOf(world: kit.World): Promise<string[]> {
  const named = await Promise.all(
    DRIVERS.map(async (id) =>
      (await kit.recorded(world, [id])).map(({ sessionId, seq }) => `driver/${id} ${sessionId} ${seq}`),
    ),
  );
  return named.flat().toSorted();
}

/** What settlement found of every trip of the log, without what tells of when. */
async function finalsOf({ history }: kit.World, log: Log) {
  const tripIds = new Set(
    log.flatMap(({ records }) =>
      records.flatMap((one) => (one.kind === "tripChange" ? one.trip.tripId : [])),
    ),
  );
  const finals = await Promise.all([...tripIds].map((tripId) => history.final(tripId)));
  return finals.map((final) => {
    if (!final) return undefined;
    const { distanceM, approachM, phases, track } = final;
    return { distanceM, approachM, phases, track: track.map((point) => ({ ...point, receivedAtMs: 0 })) };
  });
}

/** The record of a log that was read in one go. */
async function recordOf(log: Log) {
  await using world = await kit.openWorld();
  await kit.appendAll(world.log, [...log, kit.tickAt(kit.AFTER_MS)]);
  await using projection = await kit.startHistory(world);
  await kit.stored(world, projection);
  return { fixes: await fixesOf(world), finals: await finalsOf(world, log) };
}

/** A long drive with an end, so that there is something to settle. */
const drives = fc.tuple(steps, steps).map(([one, two]): Step[] => {
  const end: Step = { ...one[0]!, trip: "end", count: 0, clockStepS: 0, device: "none" };
  return [...one, ...two, end];
});

describe("the history projection on real engines", () => {
  test("stopped or killed anywhere, ends with each fix once and the same finals", () => {
    const stop = fc.record({
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      kill: fc.boolean(),
      storePeriodMs: fc.constantFrom(0, 1e9),
      snapshots: fc.nat(3),
      overlap: fc.nat(5),
    });
    return fc.assert(
      fc.asyncProperty(drives, fc.array(stop, { minLength: 1, maxLength: 3 }), async (script, stops) => {
        const log = logOf(script);
        await using world = await kit.openWorld();
        let written = 0;
        for (const { part, kill, storePeriodMs, snapshots, overlap } of stops) {
          const life = kit.mortal(world);
          const projection = await kit.startHistory(life.world, storePeriodMs);
          const to = written + Math.floor(part * (log.length - written));
          await kit.appendAll(world.log, log.slice(written, to));
          await kit.until(() => projection.cursor(HERE) >= Math.max(0, to - overlap));
          world.clock.advanceTo(world.clock.now() + snapshots * world.limits.snapshotPeriodMs);
          written = to;
          if (kill) life.crash();
          await projection[Symbol.asyncDispose]();
        }
        await kit.appendAll(world.log, [...log.slice(written), kit.tickAt(kit.AFTER_MS)]);
        await using projection = await kit.startHistory(world);
        await kit.stored(world, projection);
        expect(await fixesOf(world)).toEqual(fixesIn(log));
        expect(await finalsOf(world, log)).toEqual((await recordOf(log)).finals);
      }),
      { numRuns: 4 },
    );
  });

  test("settles the same, whatever order, copies and delays the fixes came with", () =>
    fc.assert(
      fc.asyncProperty(drives, async (script) => {
        const [dirty, clean] = await Promise.all([
          recordOf(logOf(script)),
          recordOf(logOf(script.map(plain))),
        ]);
        expect(dirty).toEqual(clean);
        expect(clean.finals.some((final) => final !== undefined)).toBe(true);
      }),
      { numRuns: 4 },
    ));

  test("settles again when a fix comes late, even while it settles", async () => {
    await using world = await kit.openWorld();
    const script = Array.from({ length: 30 }, (_, i): Step => ({ ...CALM, trip: i === 29 ? "end" : "none" }));
    const log = logOf(script);
    const late = (seq: number, receivedAtMs: number) => ({
      records: [batchOf(receivedAtMs, [fixOf(seq, T0 + 50_500 + seq, 500)])],
    });
    const dueMs = log.at(-1)!.loggedAtMs + world.limits.settleAfterMs;
    const reached = Promise.withResolvers<void>();
    const open = Promise.withResolvers<void>();
    const history = new Proxy(world.history, {
      get(target, name) {
        const member = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        if (name !== "putFinal") return member.bind(target);
        return async (final: unknown) => {
          reached.resolve();
          await open.promise;
          return member.call(target, final);
        };
      },
    });
    await using projection = await kit.startHistory({ ...world, history }, 1);
    await kit.appendAll(world.log, [...log, kit.tickAt(dueMs)]);
    await kit.until(() => projection.cursor(HERE) === log.length + 1);
    world.clock.advanceTo(world.clock.now() + 1);
    await reached.promise;
    await kit.appendAll(world.log, [late(500, dueMs + 1)]);
    open.resolve();
    await kit.until(async () => (await world.history.final(tripIdOf(log))) !== undefined);
    await kit.appendAll(world.log, [kit.tickAt(kit.AFTER_MS)]);
    await kit.until(async () => {
      world.clock.advanceTo(world.clock.now() + 1);
      return (await world.history.final(tripIdOf(log)))!.track.some(({ seq }) => seq === 500);
    });
    expect((await world.history.final(tripIdOf(log)))!.revision).toBe(2);
  });

  test("saves no snapshot that knows more than the stores: what came while they were written is read again", async () => {
    await using world = await kit.openWorld();
    const log = logOf([0, 1].map((i): Step => ({ ...CALM, trip: i === 1 ? "press" : "none" })));
    const life = kit.mortal(world);
    const reached = Promise.withResolvers<void>();
    const open = Promise.withResolvers<void>();
    const history = new Proxy(life.world.history, {
      get(target, name) {
        const member = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        return async (...args: unknown[]) => {
          if (name === "putEvents") reached.resolve();
          if (name === "putEvents") await open.promise;
          return member(...args);
        };
      },
    });
    const projection = await kit.startHistory({ ...life.world, history }, 1e9);
    world.clock.advanceTo(T0 + 1);
    await kit.appendAll(world.log, log.slice(0, 2));
    await kit.until(() => projection.cursor(HERE) === 2);
    world.clock.advanceTo(T0 + world.limits.snapshotPeriodMs);
    await reached.promise;
    await kit.appendAll(world.log, log.slice(2));
    await kit.until(() => projection.cursor(HERE) === log.length);
    open.resolve();
    await kit.until(async () => (await world.snapshots.load("history-02")) !== undefined);
    life.crash();
    await projection[Symbol.asyncDispose]();
    await using again = await kit.startHistory(world);
    await kit.stored(world, again);
    const statuses = (await world.history.events(tripIdOf(log), 10)).filter(({ kind }) => kind === "status");
    expect(statuses).toMatchObject([{ status: "NEW" }, { status: "ENROUTE_TO_PICKUP", source: "explicit" }]);
    expect(await fixesOf(world)).toEqual(fixesIn(log));
  });

  test("saves no snapshot that was begun under a lease which ended, though the partition is held again", async () => {
    await using world = await kit.openWorld();
    const reached = Promise.withResolvers<void>();
    const open = Promise.withResolvers<void>();
    const history = new Proxy(world.history, {
      get(target, name) {
        const member = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        return async (...args: unknown[]) => {
          if (name === "putChunks") reached.resolve();
          if (name === "putChunks") await open.promise;
          return member.apply(target, args);
        };
      },
    });
    const leaseUntilEnded = (epoch: number) => {
      const lease = { partition: HERE, epoch, valid: () => !ended.has(lease) };
      return lease;
    };
    const ended = new Set<object>();
    let held = leaseUntilEnded(1);
    const deps = { ...world, history, lease: () => held };
    const view = new HistoryView({ ...deps, storePeriodMs: 0, chunkRewriteMs: 0 });
    const projection = await Projection.start(deps, view, [HERE]);
    await kit.appendAll(world.log, logOf([CALM]));
    await reached.promise;
    world.clock.advanceTo(T0 + world.limits.snapshotPeriodMs);
    ended.add(held);
    held = leaseUntilEnded(2);
    open.resolve();
    await kit.stored(world, projection);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await world.snapshots.load("history-02")).toBeUndefined();
    await projection[Symbol.asyncDispose]();
    expect(await world.snapshots.load("history-02")).toBeDefined();
  });

  test("stops and says so when the log no longer has what comes next", async () => {
    await using world = await kit.openWorld();
    const tick = (count: number) => Array.from({ length: count }, () => kit.tickAt(T0));
    await kit.appendAll(world.log, tick(3));
    {
      await using projection = await kit.startHistory(world);
      await kit.stored(world, projection);
    }
    await kit.appendAll(world.log, tick(1));
    world.clock.advanceTo(T0 + 10_000);
    await kit.appendAll(world.log, tick(1));
    await world.log.trim(T0 + 5_000);
    await using projection = await kit.startHistory(world);
    await kit.until(() => projection.health()?.includes("stopped") ?? false);
    expect(projection.health()).toContain("CURSOR_TOO_OLD");
    expect(projection.cursor(HERE)).toBe(3);
  });

  test.each([
    ["no snapshot", new Uint8Array([1, 2, 3])],
    ["one of a format to come", snapshot({ format: 99 })],
    ["one whose state can't be read", snapshot({ pipeline: new Uint8Array([255, 1]) })],
    [
      "one whose own part can't be read",
      snapshot({
        pipeline: encodeState({ ...createPartitionState(HERE), cursor: 1 }),
        own: new Uint8Array([255]),
      }),
    ],
    [
      "one that is ahead of the log",
      snapshot({ pipeline: encodeState({ ...createPartitionState(HERE), cursor: 1e6 }) }),
    ],
  ])("reads the log instead of %s", async (_name, body) => {
    await using world = await kit.openWorld();
    const log = logOf(Array.from({ length: 10 }, () => CALM));
    await world.snapshots.save("history-02", body);
    await kit.appendAll(world.log, log);
    await using projection = await kit.startHistory(world);
    await kit.stored(world, projection);
    expect(await fixesOf(world)).toEqual(fixesIn(log));
    expect(projection.health()).toBeUndefined();
  });
});

function snapshot(fields: { format?: number; pipeline?: Uint8Array; own?: Uint8Array }): Uint8Array {
  return toBinary(ProjectionSnapshotSchema, create(ProjectionSnapshotSchema, { format: 1, ...fields }));
}

function tripIdOf(log: Log): string {
  const [record] = log[0]!.records;
  return record?.kind === "tripChange" ? record.trip.tripId : "";
}
