import { describe, expect, test } from "vitest";
import { BimrideError } from "../core/errors.ts";
import type { LiveChange } from "../core/live.ts";
import type { Trip } from "../core/trip.ts";
import { encodeEntry } from "../eventlog/codec.ts";
import type { LatestParty } from "../latest/latest.ts";
import { MemoryLatest } from "../latest/memory/memory-latest.ts";
import type { Detection } from "../pipeline/output.ts";
import {
  batchOf,
  CAR,
  CAR_ELSEWHERE,
  fixOf,
  HERE,
  logOf,
  type Step,
  T0,
  tripOf,
} from "../pipeline/test-drives.ts";
import { HistoryView } from "./history.ts";
import { LiveView } from "./live.ts";
import { Projection } from "./projection.ts";
import * as kit from "./test-world.ts";
import { startTicker } from "./ticker.ts";

const calm: Step = {
  gapS: 4,
  count: 1,
  jumpM: 0,
  delaysS: [0],
  session: 0,
  clockStepS: 0,
  trip: "none",
  device: "none",
};
const DRIVE = logOf(Array.from({ length: 30 }, () => calm));
const TRIP = tripOf();

/** The live view of the world with its own latest store and bus. */
async function startLive(world: kit.World) {
  const changes: LiveChange[] = [];
  const detections: Detection[] = [];
  const latest = new MemoryLatest(world.clock);
  const { clock, limits } = world;
  const bus = {
    publish: (change: LiveChange) => void changes.push(structuredClone(change)),
    publishRider: () => {},
  };
  const lease = (partition: number) => ({ partition, epoch: 1, valid: () => true });
  const propose = (detection: Detection) => void detections.push(detection);
  const projection = await Projection.start(
    world,
    new LiveView({ bus, latest, clock, limits, lease, propose }),
  );
  return { projection, latest, changes, detections };
}

/** A history store that is away until told otherwise. */
function withoutHistory(world: kit.World) {
  let away = true;
  let refused = 0;
  const history = new Proxy(world.history, {
    get(target, name) {
      const member = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      return async (...args: unknown[]) => {
        if (away) refused++;
        if (away) throw new BimrideError("STORE_UNAVAILABLE");
        return member.apply(target, args);
      };
    },
  });
  const back = () => {
    away = false;
  };
  return { world: { ...world, history }, back, refused: () => refused };
}

describe("a history store that is away", () => {
  test("holds the history projection and nobody else; when it is back, nothing is missing", async () => {
    await using world = await kit.openWorld();
    const outage = withoutHistory(world);
    await using past = await kit.startHistory(outage.world);
    const live = await startLive(world);
    await using _live = live.projection;
    await kit.appendAll(world.log, DRIVE.slice(0, 10));
    await kit.until(() => outage.refused() > 0);
    await kit.appendAll(world.log, DRIVE.slice(10));
    await kit.stored(world, live.projection);
    expect(live.changes.filter(({ position }) => position)).toHaveLength(30);
    expect(past.storedCursor(HERE)).toBe(0);
    expect(past.cursor(HERE)).toBeLessThan(DRIVE.length);
    outage.back();
    await kit.until(() => {
      world.clock.advanceTo(world.clock.now() + 1_000);
      return past.storedCursor(HERE) === DRIVE.length;
    });
    expect(await kit.recorded(world, [CAR])).toHaveLength(30);
    expect(past.health()).toBeUndefined();
  });

  test("at the end loses nothing: the next start reads it from the log again", async () => {
    await using world = await kit.openWorld();
    const outage = withoutHistory(world);
    const past = await kit.startHistory(outage.world);
    await kit.appendAll(world.log, DRIVE);
    await kit.until(() => past.cursor(HERE) > 0);
    await past[Symbol.asyncDispose]();
    await using again = await kit.startHistory(world);
    await kit.stored(world, again);
    expect(await kit.recorded(world, [CAR])).toHaveLength(30);
  });
});

describe("the live view", () => {
  test("after a restart holds the same latest state and goes on with the same versions", async () => {
    await using world = await kit.openWorld();
    await using whole = await kit.openWorld();
    const [first, reference] = await Promise.all([startLive(world), startLive(whole)]);
    await using _reference = reference.projection;
    await kit.appendAll(whole.log, DRIVE);
    await kit.stored(whole, reference.projection);
    await kit.appendAll(world.log, DRIVE.slice(0, 17));
    await kit.stored(world, first.projection);
    await first.projection[Symbol.asyncDispose]();
    const second = await startLive(world);
    await using _second = second.projection;
    expect(await second.latest.trip(TRIP.tripId)).toBeDefined();
    await kit.appendAll(world.log, DRIVE.slice(17));
    await kit.stored(world, second.projection);
    const versions = (changes: LiveChange[]) =>
      changes.map(({ version, previous }) => ({ version, previous }));
    expect(versions([...first.changes, ...second.changes])).toEqual(versions(reference.changes));
    expect([...first.detections, ...second.detections]).toEqual(reference.detections);
    const place = (party: LatestParty | undefined) => [party?.latDeg, party?.lonDeg, party?.capturedAtMs];
    expect(place(await second.latest.party(`driver/${CAR}`))).toEqual(
      place(await reference.latest.party(`driver/${CAR}`)),
    );
  });
});

describe("the history view", () => {
  test("keeps every status that the trip had; one reached twice makes two events, a repeat none", async () => {
    await using world = await kit.openWorld();
    const statuses = [
      ["ENROUTE_TO_PICKUP", 10],
      ["ARRIVED_AT_PICKUP", 20],
      ["ENROUTE_TO_PICKUP", 30],
      ["ARRIVED_AT_PICKUP", 40],
    ] as const;
    const trips = statuses.map(
      ([status, atS], i): Trip => ({ ...TRIP, status, statusAtMs: T0 + 1_000 * atS, version: 2 + i }),
    );
    const confirmed: Trip = { ...trips[3]!, version: 6, statusSource: "detected" };
    const records = [
      TRIP,
      ...trips,
      trips[1]!,
      trips[3]!,
      confirmed,
      { ...confirmed, version: 7, statusSource: "explicit" as const },
    ];
    await kit.appendAll(
      world.log,
      records.map((trip) => ({ records: [{ kind: "tripChange", receivedAtMs: trip.statusAtMs, trip }] })),
    );
    await using projection = await kit.startHistory(world);
    await kit.stored(world, projection);
    const events = await world.history.events(TRIP.tripId, 100);
    const found = events.flatMap((event) =>
      event.kind === "status" ? [[event.status, (event.atMs - T0) / 1_000, event.source]] : [],
    );
    expect(found).toEqual([["NEW", 0], ...statuses].map((status) => [...status, "explicit"]));
    expect(events.filter(({ kind }) => kind === "driver")).toHaveLength(1);
  });
});

describe("a partition that is given away", () => {
  test("has its waiting rows written; those of the others go on waiting", async () => {
    await using world = await kit.openWorld();
    const view = new HistoryView({ ...world, storePeriodMs: 0, chunkRewriteMs: 600_000 });
    await using projection = await Projection.start(world, view, [HERE, 3]);
    const fixOfCar = (id: string) =>
      batchOf(T0 + 1_000, [fixOf(0, T0, 0)], { party: { kind: "driver", id } });
    await kit.appendAll(world.log, [{ records: [fixOfCar(CAR)] }]);
    await world.log.append(
      3,
      encodeEntry({ region: "got", traceparent: "", records: [fixOfCar(CAR_ELSEWHERE)] }),
    );
    await kit.until(() => projection.storedCursor(HERE) === 1 && projection.storedCursor(3) === 1);
    expect(await kit.recorded(world, [CAR, CAR_ELSEWHERE])).toEqual([]);
    await projection.own([3]);
    expect(await kit.recorded(world, [CAR])).toHaveLength(1);
    expect(await kit.recorded(world, [CAR_ELSEWHERE])).toEqual([]);
  });
});

describe("the ticker", () => {
  test("lets a silent partition's trip be settled, and is silent where and when nothing waits", async () => {
    await using world = await kit.openWorld({ ...kit.WORLD_LIMITS, settleAfterMs: 5_000 });
    const { history, limits, log, clock } = world;
    const view = new HistoryView({ ...world, storePeriodMs: 0, chunkRewriteMs: 0 });
    await using projection = await Projection.start(world, view);
    const failures: unknown[] = [];
    const stop = startTicker(
      { log, clock, limits, failed: (error) => failures.push(error) },
      () => projection.states,
      (state) => view.waits(state.partition),
    );
    const endedAtMs = T0 + 5_000;
    const ended = { ...TRIP, version: 2, status: "COMPLETE" as const, statusAtMs: endedAtMs, endedAtMs };
    const fixes = Array.from({ length: 5 }, (_, i) => fixOf(i, T0 + 1_000 * i, 10 * i));
    await kit.appendAll(log, [
      { records: [{ kind: "tripChange", receivedAtMs: T0, trip: TRIP }, batchOf(T0 + 4_000, fixes)] },
      { records: [{ kind: "tripChange", receivedAtMs: endedAtMs, trip: ended }] },
    ]);
    await kit.stored(world, projection);
    clock.advanceTo(endedAtMs);
    await kit.until(async () => {
      clock.advanceTo(clock.now() + limits.tickAfterMs);
      await kit.stored(world, projection);
      return !view.waits(HERE);
    });
    expect((await history.final(TRIP.tripId))?.track).toHaveLength(5);
    const { last } = await log.bounds(HERE);
    expect(last).toBeGreaterThan(2);
    expect(last).toBeLessThanOrEqual(2 + 2 + limits.settleAfterMs / limits.tickAfterMs);
    clock.advanceTo(clock.now() + 60_000);
    await kit.appendAll(log, [kit.tickAt(clock.now())]);
    expect((await log.bounds(HERE)).last).toBe(last + 1);
    for (const partition of [0, 1, 3]) expect((await log.bounds(partition)).last).toBe(0);
    expect(failures).toEqual([]);
    stop();
  });
});
