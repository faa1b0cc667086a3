import fc from "fast-check";
import { expect, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { BimrideError } from "../../core/errors.ts";
import type { Party } from "../../core/fix.ts";
import { CONTRACT_CLOCK, historyContract } from "../../history/contract.ts";
import type { History, HistoryStore, RecordedFix, TrackQuery, TripFinal } from "../../history/history.ts";
import { correctedAtMs, trackKey } from "../../history/merge.ts";
import { openSqliteHistory } from "../../history/sqlite/history.ts";
import { chunkOf, recordedFix } from "../../history/test-data.ts";
import { routedHistory } from "./history.ts";
import { breakable } from "./test-engines.ts";

const T0 = 1_790_000_000_000;
const WEST_TRIP = "no1-0000000000000000000000000a";
const EAST_TRIP = "se1-0000000000000000000000000b";

historyContract("a router over the histories of two regions", async () => {
  const folder = await tempFolder();
  const open = (region: string) =>
    openSqliteHistory({ path: folder.file(`${region}.db`), clock: CONTRACT_CLOCK });
  return {
    async open() {
      const stores = new Map([
        ["no1", await open("no1")],
        ["se1", await open("se1")],
      ]);
      // Where a chunk lies is asked of a store, never of a router: here of each.
      const chunks: HistoryStore["chunks"] = async (query) =>
        (await Promise.all([...stores.values()].map((store) => store.chunks(query)))).flat();
      return Object.assign(routedHistory(new Map<string, History>(stores)), { chunks });
    },
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
});

/** Histories of two regions and the router over them, and one beside them to hold everything. */
async function scene() {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const open = async (name: string) => openSqliteHistory({ path: folder.file(`${name}.db`) });
  const gone = new BimrideError("STORE_UNAVAILABLE");
  const west = breakable(await open("no1"), gone);
  const east = breakable(await open("se1"), gone);
  const one = stack.use(await open("one"));
  const router = stack.use(
    routedHistory(
      new Map<string, History>([
        ["no1", west.engine],
        ["se1", east.engine],
      ]),
    ),
  );
  return { west, east, one, router, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function put(history: History, party: Party, fixes: readonly RecordedFix[], perChunk = 60) {
  const bySession = Map.groupBy(fixes, ({ sessionId }) => sessionId);
  for (const own of bySession.values())
    for (let i = 0; i < own.length; i += perChunk)
      await history.putChunks([chunkOf(party, own.slice(i, i + perChunk), i + 1)]);
}

async function paged(history: History, query: TrackQuery): Promise<RecordedFix[]> {
  const fixes: RecordedFix[] = [];
  for (let after = query.after; ; ) {
    const page = await history.track({ ...query, after });
    fixes.push(...page);
    if (page.length < query.limit) return fixes;
    after = trackKey(page.at(-1)!);
  }
}

const final = (tripId: string): TripFinal => ({
  ...{ tripId, revision: 1, settledAtMs: T0, distanceM: 1, approachM: 1, phases: [], track: [] },
});

test("a party that crossed the border has one track, with fixes that both regions have in it once", async () => {
  await using scenery = await scene();
  const { west, east, router } = scenery;
  const party: Party = { kind: "driver", id: "d1" };
  const fixes = Array.from({ length: 500 }, (_, i) => recordedFix(T0 + i * 4_000, i));
  await put(west.engine, party, fixes.slice(0, 260));
  // Sent again behind the border, under a clock offset that was estimated anew.
  const again = fixes.slice(250, 260).map((fix) => ({ ...fix, clockOffsetMs: 90, receivedAtMs: T0 + 1e7 }));
  await put(east.engine, party, [...again, ...fixes.slice(260)]);
  const query = { party, fromMs: T0, toMs: T0 + 1e8, limit: 70 };
  expect(await paged(router, query)).toEqual(fixes);
  expect(await router.track({ ...query, limit: 1_000 })).toEqual(fixes);
});

test("what a trip's id names is written to and read from its region only", async () => {
  await using scenery = await scene();
  const { west, east, router } = scenery;
  const eventOf = (tripId: string) =>
    ({ tripId, atMs: T0, key: "k", kind: "driver", driverId: "d1" }) as const;
  for (const tripId of [WEST_TRIP, EAST_TRIP]) await router.putFinal(final(tripId));
  await router.putEvents([eventOf(WEST_TRIP), eventOf(EAST_TRIP)]);
  for (const [tripId, own, other] of [
    [WEST_TRIP, west, east],
    [EAST_TRIP, east, west],
  ] as const) {
    expect(await own.engine.final(tripId)).toEqual(final(tripId));
    expect(await other.engine.final(tripId)).toBeUndefined();
    expect(await own.engine.events(tripId, 10)).toEqual([eventOf(tripId)]);
    expect(await other.engine.events(tripId, 10)).toEqual([]);
    expect(await router.final(tripId)).toEqual(final(tripId));
    expect(await router.events(tripId, 10)).toEqual([eventOf(tripId)]);
  }
  expect(await router.final("nowhere-0000000000000000000000000a")).toBeUndefined();
});

test("a region that refuses takes its own trips with it and no other's, and a track that might lack something is refused", async () => {
  await using scenery = await scene();
  const { west, router } = scenery;
  for (const tripId of [WEST_TRIP, EAST_TRIP]) await router.putFinal(final(tripId));
  west.trouble = "refusing";
  expect(await router.final(EAST_TRIP)).toEqual(final(EAST_TRIP));
  const gone = { code: "STORE_UNAVAILABLE" };
  await expect(router.final(WEST_TRIP)).rejects.toMatchObject(gone);
  const party: Party = { kind: "driver", id: "d1" };
  await expect(router.track({ party, fromMs: T0, toMs: T0 + 1, limit: 1 })).rejects.toMatchObject(gone);
});

/** A fix as one or both regions got it: each copy with its own offset and time of receipt. */
type Copy = { west: boolean; offsetMs: number; receivedMs: number };
const copies = fc.array(
  fc.record({
    west: fc.boolean(),
    // Copies of a fix lie less than five minutes apart, which is what makes them repeats.
    offsetMs: fc.oneof(fc.constant(0), fc.integer({ min: -149_000, max: 149_000 })),
    receivedMs: fc.nat({ max: 1_000_000 }),
  }),
  { minLength: 1, maxLength: 3 },
);
const tracks = fc.array(
  fc.record({ atMs: fc.nat({ max: 3_600_000 }), session: fc.constantFrom("session-a", "session-b"), copies }),
  { maxLength: 150 },
);

test("a track over two regions is, page by page, what one engine holding everything gives", {
  timeout: 120_000,
}, async () => {
  await using scenery = await scene();
  const { west, east, one, router } = scenery;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      tracks,
      fc.integer({ min: 1, max: 60 }),
      fc.tuple(fc.nat({ max: 3_600_000 }), fc.nat({ max: 3_600_000 })),
      async (fixes, limit, [a, b]) => {
        const party: Party = { kind: "driver", id: `d${++runs}` };
        const all = fixes.flatMap(({ atMs, session, copies: own }, seq) =>
          own.map((copy) => ({ copy, fix: fixOf(atMs, session, seq, copy) })),
        );
        const side = (isWest: boolean) => all.flatMap(({ copy, fix }) => (copy.west === isWest ? [fix] : []));
        await put(west.engine, party, side(true), 7);
        await put(east.engine, party, side(false), 7);
        await put(
          one,
          party,
          all.map(({ fix }) => fix),
          7,
        );
        for (const [fromMs, toMs] of [
          [T0 - 1e6, T0 + 1e8],
          [T0 + Math.min(a, b), T0 + Math.max(a, b)],
        ] as const) {
          const query = { party, fromMs, toMs, limit };
          const expected = await one.track({ ...query, limit: 10_000 });
          expect(await paged(router, query)).toEqual(expected);
        }
      },
    ),
    { numRuns: 150 },
  );
});

function fixOf(atMs: number, sessionId: string, seq: number, { offsetMs, receivedMs }: Copy): RecordedFix {
  const shown = seq % 3 === 0 ? {} : { publishedLatDeg: 57 + seq / 1_000, publishedLonDeg: 12 };
  return recordedFix(T0 + atMs + offsetMs, seq, {
    ...{ sessionId, clockOffsetMs: offsetMs, receivedAtMs: T0 + receivedMs },
    ...shown,
  });
}

test("a party with thousands of fixes in the same minutes is told page by page too", async () => {
  await using scenery = await scene();
  const { west, east, router } = scenery;
  const party: Party = { kind: "driver", id: "d1" };
  const fixes = Array.from({ length: 6_000 }, (_, i) => recordedFix(T0 + Math.floor(i / 50), i));
  await put(
    west.engine,
    party,
    fixes.filter(({ seq }) => seq % 2 === 0),
  );
  await put(
    east.engine,
    party,
    fixes.filter(({ seq }) => seq % 2 === 1),
  );
  const told = await paged(router, { party, fromMs: T0, toMs: T0 + 1e6, limit: 700 });
  expect(told.map(({ seq }) => seq)).toEqual(fixes.map(({ seq }) => seq));
  expect(told.every((fix, i) => i === 0 || correctedAtMs(fix) >= correctedAtMs(told[i - 1]!))).toBe(true);
});
