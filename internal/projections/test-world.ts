import { pino } from "pino";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { BimrideError } from "../core/errors.ts";
import type { Limits } from "../core/limits.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { encodeEntry } from "../eventlog/codec.ts";
import type { EventLog } from "../eventlog/log.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { openSqliteLog } from "../eventlog/sqlite/log.ts";
import type { History, RecordedFix } from "../history/history.ts";
import { openSqliteHistory } from "../history/sqlite/history.ts";
import { openFileSnapshots } from "../partitions/local/snapshots.ts";
import type { Snapshots } from "../partitions/snapshots.ts";
import type { PipelineEntry } from "../pipeline/pipeline.ts";
import { HERE, LIMITS, T0 } from "../pipeline/test-drives.ts";
import { HistoryView } from "./history.ts";
import { Projection } from "./projection.ts";
import type { ProjectionDeps } from "./projection-deps.ts";

/** Small chunks, so that a short drive makes many. */
export const WORLD_LIMITS: Limits = {
  ...LIMITS,
  maxFixesPerChunk: 7,
  maxChunkSpanMs: 20_000,
  settleAfterMs: 300_000,
};
/** After the last record of any generated drive and its settlement. */
export const AFTER_MS = T0 + 3_600_000;

/** The real engines in a folder of their own, and a clock that stands still. */
export type World = AsyncDisposable & ProjectionDeps & { history: History; clock: VirtualClock };

export async function openWorld(limits = WORLD_LIMITS): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const clock = new VirtualClock(T0);
  const { partitions } = limits;
  const log = stack.use(
    await openSqliteLog({ path: folder.file("log.sqlite"), region: "got", partitions, clock, limits }),
  );
  const history = stack.use(await openSqliteHistory({ path: folder.file("history.sqlite") }));
  const snapshots = await openFileSnapshots(folder.file("snapshots"));
  const owned = stack.move();
  const logger = pino({ level: "silent" });
  return {
    log,
    history,
    snapshots,
    clock,
    limits,
    logger,
    lease: (partition) => ({ partition, epoch: 1, valid: () => true }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Starts the history projection of the world; it stores after every batch unless told otherwise. */
export function startHistory(world: World, storePeriodMs = 0): Promise<Projection> {
  return Projection.start(world, new HistoryView({ ...world, storePeriodMs, chunkRewriteMs: 0 }));
}

export async function appendAll(
  log: EventLog,
  entries: readonly Pick<PipelineEntry, "records">[],
): Promise<void> {
  const bodies = entries.map(({ records }) =>
    encodeEntry({ region: "got", traceparent: "", records: [...records] }),
  );
  await Promise.all(bodies.map((body) => log.append(HERE, body)));
}

export const tickAt = (receivedAtMs: number): { records: LogRecord[] } => ({
  records: [{ kind: "tick", receivedAtMs }],
});

/** Waits for a condition. */
export async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Resolves once all that the log holds is stored. */
export async function stored({ log }: World, projection: Projection): Promise<void> {
  const { last } = await log.bounds(HERE);
  await until(() => projection.storedCursor(HERE) >= last);
}

/** A process's hold on its stores: from `crash` on nothing it writes gets through, as if it were dead. */
export function mortal(world: World): { world: World; crash(): void } {
  let dead = false;
  const alive = () => {
    if (dead) throw new BimrideError("INTERNAL", "the process is dead");
  };
  const guarded = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return async (...args: unknown[]) => {
          alive();
          return await member.apply(target, args);
        };
      },
    });
  const history = guarded(world.history);
  const snapshots: Snapshots = guarded(world.snapshots);
  return {
    world: { ...world, history, snapshots },
    crash: () => {
      dead = true;
    },
  };
}

/** All fixes of the drivers in the record. */
export async function recorded({ history }: World, drivers: readonly string[]): Promise<RecordedFix[]> {
  const range = { fromMs: 0, toMs: AFTER_MS * 2, limit: 10_000 };
  const tracks = await Promise.all(
    drivers.map((id) => history.track({ party: { kind: "driver", id }, ...range })),
  );
  return tracks.flat();
}
