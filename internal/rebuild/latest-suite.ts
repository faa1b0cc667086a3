import { describe, expect, test } from "vitest";
import { encodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { Latest } from "../latest/latest.ts";
import { CAR, HERE, logOf, type Step, tripOf } from "../pipeline/test-drives.ts";
import { LiveView } from "../projections/live.ts";
import { Projection } from "../projections/projection.ts";
import * as kit from "../projections/test-world.ts";
import { rebuildLatest } from "./latest-rebuild.ts";
import { changes } from "./report.ts";

const CALM: Step = {
  ...{ gapS: 4, count: 1, jumpM: 0, delaysS: [0], session: 0, clockStepS: 0 },
  ...{ trip: "none", device: "none" },
};
const TRIP = tripOf().tripId;
const KEY = `driver/${CAR}`;

/** Engines under a rebuild of the latest state, empty; `lost` is another empty one. */
export type LatestEngines = AsyncDisposable & { log: EventLog; latest: Latest; lost: Latest; now(): number };

/** A rebuild of the latest state on any pair of engines. */
export function rebuildLatestSuite(name: string, open: (world: kit.World) => Promise<LatestEngines>): void {
  describe(`a rebuild of the latest state on ${name}`, () => {
    test("brings back what was lost, leaves what is newer, and keeps no owner from writing", async () => {
      await using world = await kit.openWorld({
        ...kit.WORLD_LIMITS,
        partyIdleMs: 1e15,
        liveAfterEndMs: 1e15,
      });
      await using engines = await open(world);
      const { log, latest, lost } = engines;
      const entries = logOf(Array.from({ length: 20 }, () => CALM));
      for (const { records } of entries)
        await log.append(HERE, encodeEntry({ region: "got", traceparent: "", records: [...records] }));
      const bus = {
        publish: () => {},
        publishRider: () => {},
      };
      const lease = (partition: number) => ({ partition, epoch: 7, valid: () => true });
      const view = new LiveView({ ...world, bus, latest, lease, propose: () => {} });
      await using live = await Projection.start({ ...world, log, lease }, view, [HERE]);
      await kit.stored({ ...world, log }, live);
      const right = { party: await latest.party(KEY), trip: await latest.trip(TRIP) };
      expect(right.party).toBeDefined();
      expect(right.trip).toBeDefined();

      const { clock, limits } = world;
      const own = {
        ...clock,
        now: engines.now,
        monotonic: () => 0,
        after: clock.after.bind(clock),
        every: clock.every.bind(clock),
      };
      const deps = { log, limits, clock: own, entriesPerSecond: 0 };
      const asked = { fromMs: undefined, toMs: undefined };
      expect(changes(await rebuildLatest({ ...deps, latest }, asked, false))).toBe(false);
      const planned = await rebuildLatest({ ...deps, latest: lost }, asked, true);
      expect(await lost.party(KEY)).toBeUndefined();
      const report = await rebuildLatest({ ...deps, latest: lost }, asked, false);
      expect(report.total).toEqual(planned.total);
      expect(report.total).toMatchObject({ inLog: 2, added: 2, corrected: 0, rowsWritten: 2 });
      expect(await lost.party(KEY)).toEqual(right.party);
      const found = await lost.trip(TRIP);
      expect(found?.version).toEqual(right.trip!.version);
      expect(found?.trail).toEqual(right.trip!.trail);
      expect(changes(await rebuildLatest({ ...deps, latest: lost }, asked, false))).toBe(false);

      const newer = { ...right.party!, seq: right.party!.seq + 1 };
      const flush = { partition: HERE, partitionEpoch: 7, parties: [newer], trips: [], removed: [] };
      expect(await lost.update(flush)).toEqual({ refused: 0 });
      expect(changes(await rebuildLatest({ ...deps, latest: lost }, asked, false))).toBe(false);
      expect((await lost.party(KEY))?.seq).toBe(newer.seq);
    });
  });
}
