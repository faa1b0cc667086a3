import { pino } from "pino";
import { Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { encodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { batchOf, CAR, CAR_ELSEWHERE, fixOf, HERE, T0 } from "../pipeline/test-drives.ts";
import { ProjectionEvents } from "./events.ts";
import { HistoryView } from "./history.ts";
import { projectionMetrics } from "./metrics.ts";
import { Projection } from "./projection.ts";
import { skipGap } from "./skip-gap.ts";
import * as kit from "./test-world.ts";

/** Partition of {@link CAR_ELSEWHERE}. */
const ELSEWHERE = 3;

/** A log engine under the projection; `timePasses` lets what is logged from then on have a later time. */
export type LogUnderTest = AsyncDisposable & {
  log: EventLog;
  timePasses(): Promise<void>;
};

type Scene = Awaited<ReturnType<typeof scene>>;

async function scene(world: kit.World, under: LogUnderTest) {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: "error" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const registry = new Registry();
  const metrics = projectionMetrics(registry);
  const events = new ProjectionEvents({ metrics, region: "got", logger, clock: world.clock });
  let alive = true;
  const lease = (partition: number) => ({ partition, epoch: 1, valid: () => alive });
  const deps = { ...world, ...under, logger, events, lease };
  let seq = 0;
  return {
    ...{ lines, log: under.log, under },
    start: (partitions?: number[], history = world.history, chunkRewriteMs = 0) =>
      Projection.start(
        deps,
        new HistoryView({ ...deps, history, storePeriodMs: 0, chunkRewriteMs }),
        partitions,
      ),
    /** From now on nothing may be written: the leases are over. */
    crash: () => {
      alive = false;
    },
    revive: () => {
      alive = true;
    },
    /** A fix of the partition's car. */
    async append(partition: number): Promise<number> {
      const id = partition === HERE ? CAR : CAR_ELSEWHERE;
      const fix = fixOf(seq, T0 + 1_000 * seq++, 10);
      const record = batchOf(T0 + 1_000 * seq, [fix], { party: { kind: "driver", id } });
      return under.log.append(partition, entryOf([record]));
    },
    /** Removes all that was logged until now, of all partitions. */
    async trimAll(): Promise<void> {
      await under.timePasses();
      const marker = await under.log.append(0, entryOf([{ kind: "tick", receivedAtMs: T0 }]));
      for await (const [entry] of under.log.read(new Map([[0, marker - 1]]), new AbortController().signal)) {
        await under.log.trim(entry!.loggedAtMs);
        return;
      }
    },
    metric: async (name: string, labels: Record<string, string | number>) => {
      const { values } = await (registry.getSingleMetric(name) as { get(): Promise<Values> }).get();
      const fits = (value: Values["values"][number]) =>
        Object.entries(labels).every(([label, wanted]) => String(value.labels[label]) === String(wanted));
      return values.filter(fits).reduce((sum, { value }) => sum + value, 0);
    },
    recorded: async (driver: string) => (await kit.recorded(world, [driver])).map(({ seq }) => seq),
  };
}

type Values = { values: { value: number; labels: Record<string, string | number> }[] };

const entryOf = (records: LogRecord[]) => encodeEntry({ region: "got", traceparent: "", records });
const caughtUp = (projection: Projection, partition: number, last: number) =>
  kit.until(() => projection.storedCursor(partition) >= last);
const stopped = (lines: Scene["lines"]) => lines.filter(({ msg }) => String(msg).includes("stopped"));

/** A projection whose log has lost what comes next, or holds what can't be read; on any engine of the log. */
export function gapSuite(engine: string, open: (world: kit.World) => Promise<LogUnderTest>): void {
  describe(`a projection on ${engine} whose cursor is older than the log`, () => {
    test("stops that partition at its start, counts what was lost and says so once; the others go on", async () => {
      await using world = await kit.openWorld();
      await using under = await open(world);
      const at = await scene(world, under);
      let read: number;
      {
        await using projection = await at.start([HERE, ELSEWHERE]);
        await at.append(HERE);
        read = await at.append(HERE);
        await caughtUp(projection, HERE, read);
      }
      const lost = [await at.append(HERE), await at.append(HERE), await at.append(HERE)];
      {
        await using projection = await at.start([ELSEWHERE]);
        await caughtUp(projection, ELSEWHERE, await at.append(ELSEWHERE));
      }
      await at.trimAll();
      await at.append(HERE);
      await using projection = await at.start();
      await kit.until(() => projection.isStopped(HERE));
      await caughtUp(projection, ELSEWHERE, await at.append(ELSEWHERE));
      expect(projection.health()).toBe(`history projection stopped: CURSOR_TOO_OLD in partition ${HERE}`);
      expect(projection.cursor(HERE)).toBe(read);
      expect(await at.recorded(CAR)).toEqual([0, 1]);
      expect(await at.recorded(CAR_ELSEWHERE)).toEqual([5, 7]);
      const count = under.log.numbersTogether ? lost.length + 1 : lost.length;
      expect(await at.metric("bimride_projection_gap_entries_total", { partition: HERE })).toBe(count);
      expect(await at.metric("bimride_projection_stopped_total", { code: "CURSOR_TOO_OLD" })).toBe(1);
      expect(await at.metric("bimride_projection_stopped", {})).toBe(1);
      const [line] = stopped(at.lines);
      expect(stopped(at.lines)).toHaveLength(1);
      expect(line).toMatchObject({ projection: "history", partition: HERE, cursor: read, lost: count });
    });

    test("goes on where nothing of the partition was lost, though all that the log had of it is gone", async () => {
      await using world = await kit.openWorld();
      await using under = await open(world);
      const at = await scene(world, under);
      {
        await using projection = await at.start([HERE, ELSEWHERE]);
        await at.append(HERE);
        await caughtUp(projection, ELSEWHERE, await at.append(ELSEWHERE));
      }
      await at.trimAll();
      await using projection = await at.start([HERE, ELSEWHERE]);
      await caughtUp(projection, HERE, await at.append(HERE));
      expect(projection.health()).toBeUndefined();
      expect(await at.recorded(CAR)).toEqual([0, 2]);
    });

    test("stops when it is overtaken while it is behind, with what it had read stored and nothing skipped", async () => {
      await using world = await kit.openWorld();
      await using under = await open(world);
      const at = await scene(world, under);
      const store = gated(world);
      const first = await at.append(HERE);
      await using projection = await at.start([HERE], store.history);
      await store.reached;
      const lost: number[] = [];
      for (let i = 0; i < 3_000; i += 100)
        lost.push(...(await Promise.all(Array.from({ length: 100 }, () => at.append(HERE)))));
      await at.trimAll();
      await at.append(HERE);
      store.open();
      await kit.until(() => projection.isStopped(HERE));
      const cursor = projection.cursor(HERE);
      await caughtUp(projection, HERE, cursor);
      const read = 1 + lost.filter((sequence) => sequence <= cursor).length;
      expect(cursor).toBeGreaterThanOrEqual(first);
      expect(read).toBeLessThan(1 + lost.length);
      expect(await at.recorded(CAR)).toEqual(Array.from({ length: read }, (_, i) => i));
      expect(await at.metric("bimride_projection_gap_entries_total", { partition: HERE })).toBe(
        1 + lost.length - read,
      );
    });

    test("goes on at the log's first entry once somebody said so, with what was open kept", async () => {
      await using world = await kit.openWorld();
      await using under = await open(world);
      const at = await scene(world, under);
      {
        // Rows wait for ever: what was read is in the snapshot only.
        await using projection = await at.start([HERE], world.history, Number.POSITIVE_INFINITY);
        await caughtUp(projection, HERE, await at.append(HERE));
        world.clock.advanceTo(world.clock.now() + world.limits.snapshotPeriodMs);
        await kit.until(async () => (await world.snapshots.load(`history-0${HERE}`)) !== undefined);
        at.crash();
      }
      at.revive();
      expect(await at.recorded(CAR)).toEqual([]);
      await at.append(HERE);
      await at.trimAll();
      const last = await at.append(HERE);
      const deps = { log: under.log, snapshots: world.snapshots, limits: world.limits };
      const gap = await skipGap(deps, "history", HERE, true);
      expect(gap).toMatchObject({ partition: HERE, lost: 1 });
      {
        await using projection = await at.start([HERE]);
        await kit.until(() => projection.isStopped(HERE));
      }
      expect(await skipGap(deps, "history", HERE, false)).toEqual(gap);
      expect(await skipGap(deps, "history", HERE, false)).toBeUndefined();
      await using projection = await at.start([HERE]);
      await caughtUp(projection, HERE, last);
      expect(await at.recorded(CAR)).toEqual([0, 2]);
      expect(projection.health()).toBeUndefined();
    });
  });

  describe(`a projection on ${engine} with an entry that can't be read`, () => {
    test("stops there in that partition, now and after a restart; the others go on", async () => {
      await using world = await kit.openWorld();
      await using under = await open(world);
      const at = await scene(world, under);
      const good = await at.append(HERE);
      await at.append(ELSEWHERE);
      await under.log.append(HERE, Uint8Array.of(255, 255));
      await at.append(HERE);
      for (let life = 0; life < 2; life++) {
        await using projection = await at.start();
        await kit.until(() => projection.isStopped(HERE));
        await caughtUp(projection, ELSEWHERE, await at.append(ELSEWHERE));
        expect(projection.health()).toBe(`history projection stopped: MESSAGE_INVALID in partition ${HERE}`);
        expect(projection.cursor(HERE)).toBe(good);
        expect(projection.states.map(({ partition }) => partition)).not.toContain(HERE);
      }
      expect(await at.recorded(CAR)).toEqual([0]);
      expect(await at.recorded(CAR_ELSEWHERE)).toEqual([1, 3, 4]);
    });
  });
}

/** A history whose first write of chunks waits. */
function gated(world: kit.World) {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const history = new Proxy(world.history, {
    get(target, name) {
      const member = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      if (name !== "putChunks") return member.bind(target);
      return async (...args: unknown[]) => {
        reached.resolve();
        await gate.promise;
        return member.apply(target, args);
      };
    },
  });
  return { history, reached: reached.promise, open: gate.resolve };
}
