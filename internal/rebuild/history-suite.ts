import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { HistoryStore, RecordedFix, TrackChunk } from "../history/history.ts";
import { CAR, HERE, logOf, OTHER_CAR, plain, type Step, steps, T0 } from "../pipeline/test-drives.ts";
import { HistoryView } from "../projections/history.ts";
import { Projection } from "../projections/projection.ts";
import * as kit from "../projections/test-world.ts";
import { type HistoryRebuildDeps, rebuildHistory } from "./history-rebuild.ts";
import { changes } from "./report.ts";

const DRIVERS = [CAR, OTHER_CAR];
const WHOLE = { fromMs: T0 - 86_400_000, toMs: T0 + 86_400_000 };
const TIMEOUT = { timeout: 180_000 };

/** Engines under a rebuild, empty; `emptied` opens another empty history. */
export type RebuildEngines = AsyncDisposable & {
  log: EventLog;
  history: HistoryStore;
  /** Lets the log's clock reach the time, where it can be driven. */
  advanceTo(timeMs: number): Promise<void>;
  /** Forgets all that the history has. */
  empty(): Promise<void>;
  /** Time as the log's entries have it. */
  now(): number;
  /** True when that is the real time, years after that of the drives. */
  logsInRealTime: boolean;
};

type Scene = { world: kit.World; engines: RebuildEngines; deps: HistoryRebuildDeps };

function sceneOf(world: kit.World, engines: RebuildEngines): Scene {
  const clock = {
    ...world.clock,
    now: engines.now,
    monotonic: () => 0,
    after: world.clock.after.bind(world.clock),
    every: world.clock.every.bind(world.clock),
  };
  const deps = {
    ...{ log: engines.log, history: engines.history, limits: world.limits, clock },
    ...{ entriesPerSecond: 0, storePeriodMs: 0, alone: true },
  };
  return { world: { ...world, ...engines }, engines, deps };
}

/** Appends the log at its times, and lets a projection make history of it. */
async function driven({ world, engines }: Scene, log: ReturnType<typeof logOf>): Promise<void> {
  for (const { records, loggedAtMs } of [...log, { ...kit.tickAt(kit.AFTER_MS), loggedAtMs: kit.AFTER_MS }]) {
    await engines.advanceTo(loggedAtMs);
    await engines.log.append(HERE, encodeEntry({ region: "got", traceparent: "", records: [...records] }));
  }
  const view = new HistoryView({ ...world, storePeriodMs: 0, chunkRewriteMs: 0 });
  await using projection = await Projection.start(world, view);
  await kit.stored(world, projection);
}

/** All that the history has: tracks, events and finals, without when they were settled. */
async function recordOf({ world, engines }: Scene, log: ReturnType<typeof logOf>) {
  const { history } = engines;
  const tripIds = new Set(
    log.flatMap(({ records }) =>
      records.flatMap((one) => (one.kind === "tripChange" ? one.trip.tripId : [])),
    ),
  );
  return {
    tracks: await Promise.all(DRIVERS.map((id) => kit.recorded(world, [id]))),
    trips: await Promise.all(
      [...tripIds].map(async (tripId) => {
        const final = await history.final(tripId);
        const events = await history.events(tripId, 1_000);
        return {
          final: final && { ...final, revision: 0, settledAtMs: 0 },
          events: events.filter(({ kind }) => kind !== "settled"),
        };
      }),
    ),
  };
}

async function chunksOf({ engines }: Scene): Promise<TrackChunk[]> {
  const parties = DRIVERS.map((id) => ({ kind: "driver" as const, id }));
  return (await Promise.all(parties.map((party) => engines.history.chunks({ party, ...WHOLE })))).flat();
}

const ENDING: Step = {
  ...{ gapS: 4, count: 0, jumpM: 0, delaysS: [0], session: 0, clockStepS: 0 },
  ...{ trip: "end", device: "none" },
};
const CALM: Step = { ...ENDING, count: 2, trip: "none" };
const calmDrive = (length = 60) => logOf([...Array.from({ length }, () => CALM), ENDING]);

/** A rebuild of history on any pair of engines. @param runs of the generated drives */
export function rebuildHistorySuite(
  name: string,
  open: (world: kit.World) => Promise<RebuildEngines>,
  runs: number,
): void {
  describe(`a rebuild of history on ${name}`, () => {
    test(
      "brings back what was lost and corrects what was altered, whatever the drive and the damage",
      TIMEOUT,
      () =>
        fc.assert(
          fc.asyncProperty(
            fc.tuple(steps, steps).map(([one, two]) => [...one, ...two, ENDING]),
            fc.boolean(),
            fc.infiniteStream(fc.nat({ max: 99 })),
            async (script, isPlain, random) => {
              const log = logOf(isPlain ? script.map(plain) : script);
              await using world = await kit.openWorld();
              await using engines = await open(world);
              const scene = sceneOf(world, engines);
              await driven(scene, log);
              const expected = await recordOf(scene, log);
              const chunks = await chunksOf(scene);
              await engines.empty();
              const kept = chunks.filter(() => random.next().value! < 60);
              await engines.history.putChunks(
                kept.map((chunk) =>
                  random.next().value! < 30 ? altered(chunk, random.next().value!) : chunk,
                ),
                { repair: true },
              );
              const damaged = await recordOf(scene, log);
              const asked = { fromMs: undefined, toMs: undefined };
              const planned = await rebuildHistory(scene.deps, asked, true);
              expect(await recordOf(scene, log)).toEqual(damaged);
              const report = await rebuildHistory(scene.deps, asked, false);
              expect(await recordOf(scene, log)).toEqual(expected);
              expect(report.total).toEqual(planned.total);
              const { inLog, found, added, corrected } = report.total;
              expect(inLog).toBe(expected.tracks.flat().length);
              expect(found + added + corrected).toBe(inLog);
              const again = await rebuildHistory(scene.deps, asked, false);
              expect(changes(again)).toBe(false);
              expect(again.total).toMatchObject({ inLog, found: inLog, added: 0, corrected: 0, left: 0 });
            },
          ),
          { numRuns: runs },
        ),
    );

    test("looks at the range only, with what lies in the same chunks", TIMEOUT, async ({ skip }) => {
      await using world = await kit.openWorld();
      await using engines = await open(world);
      if (engines.logsInRealTime)
        skip("the range is told in the log's time, which this engine takes from the real clock");
      const scene = sceneOf(world, engines);
      const log = calmDrive();
      await driven(scene, log);
      const expected = await recordOf(scene, log);
      await engines.empty();
      const [fromMs, toMs] = [T0 + 100_000, T0 + 140_000];
      const report = await rebuildHistory(scene.deps, { fromMs, toMs }, false);
      const margin = 2 * world.limits.maxChunkSpanMs;
      const within = (fix: RecordedFix) =>
        fix.capturedAtMs >= fromMs - margin && fix.capturedAtMs <= toMs + margin;
      expect((await recordOf(scene, log)).tracks).toEqual(
        expected.tracks.map((fixes) => fixes.filter(within)),
      );
      expect(report.total.added).toBe(expected.tracks.flat().filter(within).length);
    });

    test(
      "leaves to its owner a row that may still grow, and takes nothing from what that writes later",
      TIMEOUT,
      async () => {
        await using world = await kit.openWorld();
        await using engines = await open(world);
        const scene = sceneOf(world, engines);
        const log = calmDrive(30);
        await driven(scene, log);
        const expected = await recordOf(scene, log);
        const chunks = await chunksOf(scene);
        const newest = chunks.toSorted((a, b) => a.firstAtMs - b.firstAtMs).at(-1)!;
        await engines.empty();
        // Its owner has stored the beginning of the newest row only, and wrongly.
        const begun = { ...newest, fixes: newest.fixes.slice(0, 1).map((fix) => ({ ...fix, altitudeM: 7 })) };
        await engines.history.putChunks([...chunks.filter((chunk) => chunk !== newest), begun]);
        const running = {
          ...scene.deps,
          alone: false,
          storePeriodMs: -kit.WORLD_LIMITS.maxChunkSpanMs - 60_000,
        };
        const report = await rebuildHistory(running, { fromMs: undefined, toMs: undefined }, false);
        expect(report.total.added).toBe(newest.fixes.length - 1);
        await engines.history.putChunks([newest]);
        expect((await recordOf(scene, log)).tracks).toEqual(expected.tracks);
      },
    );

    test("refuses a time before the log's beginning and says where that is", async () => {
      await using world = await kit.openWorld();
      await using engines = await open(world);
      const scene = sceneOf(world, engines);
      const empty = rebuildHistory(scene.deps, { fromMs: T0, toMs: undefined }, false);
      await expect(empty).rejects.toThrow("the log of region got is empty");
      await driven(scene, calmDrive(5));
      const early = rebuildHistory(scene.deps, { fromMs: 5, toMs: undefined }, false);
      await expect(early).rejects.toThrow(
        /^the log of region got begins at \d{4}-.*: --from must not be before/,
      );
    });
  });
}

/** The chunk with something wrong in it: a fix elsewhere, one missing, one shown elsewhere. */
function altered(chunk: TrackChunk, how: number): TrackChunk {
  const at = how % chunk.fixes.length;
  const change = (fix: RecordedFix): RecordedFix[] => {
    if (how % 3 === 0) return [{ ...fix, latDeg: Math.round(fix.latDeg * 1e7 + 5_000) / 1e7 }];
    if (how % 3 === 1) return chunk.fixes.length === 1 ? [fix] : [];
    return [{ ...fix, late: !fix.late, headingDeg: 12.5 }];
  };
  return { ...chunk, fixes: chunk.fixes.flatMap((fix, i) => (i === at ? change(fix) : [fix])) };
}
