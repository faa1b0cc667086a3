import fc from "fast-check";
import { describe, expect, test as vitestTest } from "vitest";
import type { Party } from "../core/fix.ts";
import { type Clock, systemClock } from "../core/time.ts";
import type {
  History,
  HistoryStore,
  RecordedFix,
  TrackChunk,
  TrackQuery,
  TripEvent,
  TripFinal,
} from "./history.ts";
import { chunkOf, recordedFix } from "./test-data.ts";

/** How the suite gets at one engine: every harness is an empty store of its own. */
export type HistoryHarness = {
  /** Opens the store with {@link CONTRACT_CLOCK} and {@link CONTRACT_RETENTION_MS}; several at once give the same store. */
  open(): Promise<HistoryStore>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Tests of the contract that an engine can't pass, and why. */
export type Deviation = { reason: string; tests: readonly string[] };

const DRIVER: Party = { kind: "driver", id: "d1" };
const T0 = 1_790_000_000_000;
/** All that the suite writes was captured and received before this clock's time, and is kept. */
export const CONTRACT_CLOCK: Clock = { ...systemClock, now: () => T0 + 31 * 86_400_000 };
export const CONTRACT_RETENTION_MS = 90 * 86_400_000;
const whole = (party: Party, limit = 1_000): TrackQuery => ({
  party,
  fromMs: T0 - 1e9,
  toMs: T0 + 1e9,
  limit,
});

/** All pages of the query one after another. */
async function paged(history: History, query: TrackQuery): Promise<RecordedFix[]> {
  const fixes: RecordedFix[] = [];
  for (let after = query.after; ; ) {
    const page = await history.track({ ...query, after });
    expect(page.length).toBeLessThanOrEqual(query.limit);
    fixes.push(...page);
    const last = page.at(-1);
    if (!last || page.length < query.limit) return fixes;
    after = { atMs: last.capturedAtMs + last.clockOffsetMs, sessionId: last.sessionId, seq: last.seq };
  }
}

/** Chunks of the fixes, `size` in each. */
function cutInto(party: Party, fixes: readonly RecordedFix[], size: number): TrackChunk[] {
  return Array.from({ length: Math.ceil(fixes.length / size) }, (_, i) =>
    chunkOf(party, fixes.slice(i * size, (i + 1) * size)),
  );
}

const key = (fix: RecordedFix) => `${fix.capturedAtMs + fix.clockOffsetMs} ${fix.sessionId} ${fix.seq}`;

/** The promises of the port History as tests; an engine's own test file calls it with a way to open the engine. */
export function historyContract(
  name: string,
  start: () => Promise<HistoryHarness>,
  deviations: readonly Deviation[] = [],
): void {
  describe(`${name} keeps the promises of History`, () => {
    const test = testUnless(deviations);
    chunks(test, start);
    versions(test, start);
    tracks(test, start);
    rows(test, start);
    trips(test, start);
  });
}

type Test = (
  name: string,
  run: (() => Promise<void>) | { timeout: number },
  timed?: () => Promise<void>,
) => void;

function testUnless(deviations: readonly Deviation[]): Test {
  return (name, run, timed) => {
    const deviation = deviations.find(({ tests }) => tests.includes(name));
    if (deviation) vitestTest(name, ({ skip }) => skip(deviation.reason));
    else if (typeof run === "function") vitestTest(name, run);
    else vitestTest(name, run, timed!);
  };
}

function chunks(test: Test, start: () => Promise<HistoryHarness>): void {
  test("what was put is there after closing and opening again", async () => {
    await using harness = await start();
    const fixes = [
      recordedFix(T0, 0),
      recordedFix(T0 + 4_000, 1, { publishedLatDeg: 57.5, publishedLonDeg: 12 }),
    ];
    {
      await using history = await harness.open();
      await history.putChunks([chunkOf(DRIVER, fixes)]);
    }
    await using history = await harness.open();
    expect(await history.track(whole(DRIVER))).toEqual(fixes);
  });

  test("a chunk that grows replaces itself", async () => {
    await using harness = await start();
    await using history = await harness.open();
    const fixes = Array.from({ length: 60 }, (_, i) => recordedFix(T0 + i * 1_000, i));
    for (let count = 1; count <= 60; count++)
      await history.putChunks([chunkOf(DRIVER, fixes.slice(0, count))]);
    expect(await history.track(whole(DRIVER))).toEqual(fixes);
  });

  test("a fix that is twice in the log replaces no chunk that it began before", async () => {
    await using harness = await start();
    await using history = await harness.open();
    const fixes = Array.from({ length: 60 }, (_, i) => recordedFix(T0 + i * 1_000, i));
    await history.putChunks([chunkOf(DRIVER, fixes, 7)]);
    await history.putChunks([chunkOf(DRIVER, fixes.slice(0, 1), 9)]);
    expect(await history.track(whole(DRIVER))).toEqual(fixes);
  });

  test("chunks that overlap give each fix once: the first by received time, with what was published", async () => {
    await using harness = await start();
    await using history = await harness.open();
    const published = { publishedLatDeg: 57.5, publishedLonDeg: 12 };
    const early = recordedFix(T0 + 1_000, 1, { receivedAtMs: T0 + 2_000, latDeg: 57 });
    const again = recordedFix(T0 + 1_500, 1, { receivedAtMs: T0 + 9_000, latDeg: 58, ...published });
    await history.putChunks([
      chunkOf(DRIVER, [recordedFix(T0, 0), again]),
      chunkOf(DRIVER, [early, recordedFix(T0 + 2_000, 2)]),
    ]);
    expect(await history.track(whole(DRIVER))).toEqual([
      recordedFix(T0, 0),
      { ...early, ...published },
      recordedFix(T0 + 2_000, 2),
    ]);
  });

  test("parties and sessions are kept apart", async () => {
    await using harness = await start();
    await using history = await harness.open();
    const rider: Party = { kind: "rider", id: "d1" };
    const other = recordedFix(T0, 0, { sessionId: "session-b" });
    await history.putChunks([
      chunkOf(DRIVER, [recordedFix(T0, 0)]),
      chunkOf(DRIVER, [other]),
      chunkOf(rider, [recordedFix(T0 + 5, 7)]),
    ]);
    expect(await history.track(whole(DRIVER))).toEqual([recordedFix(T0, 0), other]);
    expect(await history.track(whole(rider))).toEqual([recordedFix(T0 + 5, 7)]);
    expect(await history.track(whole({ kind: "driver", id: "d2" }))).toEqual([]);
  });

  test("after closing, everything rejects with STORE_UNAVAILABLE", async () => {
    await using harness = await start();
    const history = await harness.open();
    const writing = history.putChunks([chunkOf(DRIVER, [recordedFix(T0, 0)])]);
    await history[Symbol.asyncDispose]();
    await writing;
    const refused = { code: "STORE_UNAVAILABLE" };
    await expect(history.putChunks([chunkOf(DRIVER, [recordedFix(T0, 1)])])).rejects.toMatchObject(refused);
    await expect(history.track(whole(DRIVER))).rejects.toMatchObject(refused);
    await expect(history.final("eu1-x")).rejects.toMatchObject(refused);
  });
}

function versions(test: Test, start: () => Promise<HistoryHarness>): void {
  const fixes = Array.from({ length: 60 }, (_, i) => recordedFix(T0 + i * 1_000, i));

  test("an older version of a chunk never replaces a newer one", async () => {
    await using harness = await start();
    await using history = await harness.open();
    await using stopped = await harness.open();
    await history.putChunks([chunkOf(DRIVER, fixes)]);
    await stopped.putChunks([chunkOf(DRIVER, fixes.slice(0, 20))]);
    await stopped.putChunks([chunkOf(DRIVER, fixes.slice(0, 59))]);
    expect(await history.track(whole(DRIVER))).toEqual(fixes);
  });

  test("versions of a chunk by two writers end with the greatest in whatever order they come", {
    timeout: 60_000,
  }, async () => {
    await using harness = await start();
    await using first = await harness.open();
    await using second = await harness.open();
    let run = 0;
    // Some are received in the same millisecond: then the number of fixes decides. Some lie far from the rest.
    const drawn = fc.array(
      fc.record({ receivedAfterMs: fc.nat({ max: 2 }), backMs: fc.constantFrom(0, 0, 0, 7_200_000) }),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(drawn, fc.infiniteStream(fc.nat({ max: 999 })), async (steps, random) => {
        const party: Party = { kind: "driver", id: `writers-${run++}` };
        let receivedAtMs = T0;
        const grown = steps.map(({ receivedAfterMs, backMs }, seq) => {
          receivedAtMs += receivedAfterMs;
          return recordedFix(T0 + seq * 1_000 - backMs, seq, { receivedAtMs });
        });
        const order = grown
          .map((_, i) => ({ count: i + 1, at: random.next().value! }))
          .sort((a, b) => a.at - b.at);
        await Promise.all(
          order.map(({ count, at }) =>
            (at % 2 ? first : second).putChunks([chunkOf(party, grown.slice(0, count))]),
          ),
        );
        const seqs = (await first.track(whole(party))).map(({ seq }) => seq).sort((a, b) => a - b);
        expect(seqs).toEqual(grown.map(({ seq }) => seq));
      }),
      { numRuns: 60 },
    );
  });

  test("a repair writes over whatever is there, and what was received before doesn't come back", async () => {
    await using harness = await start();
    await using history = await harness.open();
    await history.putChunks([chunkOf(DRIVER, fixes)]);
    const other = fixes.slice(0, 10).map((fix) => ({ ...fix, outlier: true }));
    await history.putChunks([chunkOf(DRIVER, other)], { repair: true });
    await history.putChunks([chunkOf(DRIVER, fixes.slice(0, 30))]);
    expect(await history.track(whole(DRIVER))).toEqual(other);
    await history.putChunks([chunkOf(DRIVER, fixes.slice(0, 5))], { repair: true });
    expect(await history.track(whole(DRIVER))).toEqual(fixes.slice(0, 5));
  });
}

function tracks(test: Test, start: () => Promise<HistoryHarness>): void {
  test("both ends of the range belong to it, by corrected time", async () => {
    await using harness = await start();
    await using history = await harness.open();
    const offset = { clockOffsetMs: 3_600_000 };
    const fixes = Array.from({ length: 5 }, (_, i) => recordedFix(T0 + i * 1_000, i, offset));
    await history.putChunks([chunkOf(DRIVER, fixes)]);
    const query = { party: DRIVER, fromMs: T0 + 1_000, toMs: T0 + 3_000, limit: 10 };
    expect(await history.track(query)).toEqual(fixes.slice(1, 4));
    expect(
      await history.track({ ...query, fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }),
    ).toEqual(fixes);
  });

  test("late fixes are found in the middle of a range, however far they lie from the rest of their chunk", async () => {
    await using harness = await start();
    await using history = await harness.open();
    const twoDays = 172_800_000;
    const late = recordedFix(T0 - twoDays, 1, { late: true, receivedAtMs: T0 });
    await history.putChunks([chunkOf(DRIVER, [recordedFix(T0, 9), late, recordedFix(T0 + 1_000, 10)])]);
    const around = { party: DRIVER, fromMs: late.capturedAtMs - 10, toMs: late.capturedAtMs + 10, limit: 5 };
    expect(await history.track(around)).toEqual([late]);
  });

  test("any cut into chunks, any order, repeats and any page size give the same track", {
    timeout: 60_000,
  }, async () => {
    await using harness = await start();
    await using history = await harness.open();
    let run = 0;
    const fixes = fc.array(
      fc.record({
        atMs: fc.oneof(fc.integer({ min: 0, max: 3_600_000 }), fc.integer({ min: -1e8, max: 3_600_000 })),
        session: fc.constantFrom("session-a", "session-b"),
      }),
      { minLength: 1, maxLength: 150 },
    );
    const cut = fc.record({
      fixes,
      size: fc.integer({ min: 1, max: 9 }),
      limit: fc.integer({ min: 1, max: 50 }),
    });
    await fc.assert(
      fc.asyncProperty(cut, fc.infiniteStream(fc.nat({ max: 99 })), async (drawn, random) => {
        const party: Party = { kind: "driver", id: `run-${run++}` };
        const expected = drawn.fixes.map(({ atMs, session }, seq) =>
          recordedFix(T0 + atMs, seq, { sessionId: session }),
        );
        const sent = expected.flatMap((fix) => (random.next().value! < 20 ? [fix, fix] : [fix]));
        for (const sessionId of ["session-a", "session-b"]) {
          const own = sent.filter((fix) => fix.sessionId === sessionId);
          await history.putChunks(cutInto(party, own, drawn.size));
        }
        expected.sort(
          (a, b) =>
            a.capturedAtMs - b.capturedAtMs || a.sessionId.localeCompare(b.sessionId) || a.seq - b.seq,
        );
        expect((await paged(history, whole(party, drawn.limit))).map(key)).toEqual(expected.map(key));
      }),
      { numRuns: 60 },
    );
  });

  test("a month of driving is read in pages", { timeout: 60_000 }, async () => {
    await using harness = await start();
    await using history = await harness.open();
    const days = 30;
    let count = 0;
    for (let day = 0; day < days; day++) {
      const drives = Array.from({ length: 20 }, (_, drive) =>
        chunkOf(
          DRIVER,
          Array.from({ length: 60 }, (_, i) =>
            recordedFix(T0 + day * 86_400_000 + drive * 240_000 + i * 4_000, count++),
          ),
        ),
      );
      await history.putChunks(drives);
    }
    const query = { party: DRIVER, fromMs: T0, toMs: T0 + days * 86_400_000, limit: 5_000 };
    const seqs = (await paged(history, query)).map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: count }, (_, i) => i));
  });
}

function rows(test: Test, start: () => Promise<HistoryHarness>): void {
  const twoHoursMs = 7_200_000;
  const fixes = Array.from({ length: 40 }, (_, i) =>
    recordedFix(T0 + i * 30_000, i, { receivedAtMs: T0 + i * 30_000 }),
  );
  const late = recordedFix(T0 - twoHoursMs, 99, { late: true, receivedAtMs: T0 + 9_000 });
  const all = [...cutInto(DRIVER, fixes, 8), chunkOf(DRIVER, [recordedFix(T0 + 8_000, 98), late], 7)];

  test("chunks are given as they are stored, those that reach into the range and no others", async () => {
    await using harness = await start();
    await using history = await harness.open();
    await history.putChunks(all);
    await history.putChunks([chunkOf({ kind: "rider", id: "d1" }, fixes)]);
    const within = (atMs: number, fromMs: number, toMs: number) => atMs >= fromMs && atMs <= toMs;
    for (const [fromMs, toMs] of [
      [T0 + 250_000, T0 + 600_000],
      [late.capturedAtMs, late.capturedAtMs],
      [T0 - 60_000, T0 - 50_000],
      [T0 - 1e8, T0 + 1e8],
    ] as const) {
      const found = await history.chunks({ party: DRIVER, fromMs, toMs });
      const own = (chunk: TrackChunk) => chunk.fixes.filter((fix) => within(fix.capturedAtMs, fromMs, toMs));
      expect(found.flatMap(own).map(key).sort()).toEqual(all.flatMap(own).map(key).sort());
      for (const chunk of found) {
        const whole = all.find(
          ({ firstSeq, firstSequence }) =>
            firstSeq === chunk.firstSeq && firstSequence === chunk.firstSequence,
        )!;
        expect(chunk).toMatchObject({
          party: DRIVER,
          sessionId: whole.sessionId,
          firstAtMs: whole.firstAtMs,
        });
        for (const fix of chunk.fixes) expect(whole.fixes).toContainEqual(fix);
      }
    }
  });

  test("a chunk that was read and is written again, corrected, replaces itself", async () => {
    await using harness = await start();
    await using history = await harness.open();
    await history.putChunks(all);
    const range = { party: DRIVER, fromMs: T0 - 1e8, toMs: T0 + 1e8 };
    const corrected = (fix: RecordedFix) => ({ ...fix, altitudeM: fix.seq });
    for (const chunk of await history.chunks(range))
      await history.putChunks([{ ...chunk, fixes: chunk.fixes.map(corrected) }], { repair: true });
    const expected = [late, ...fixes.slice(0, 1), recordedFix(T0 + 8_000, 98), ...fixes.slice(1)].map(
      corrected,
    );
    expect(await history.track(whole(DRIVER))).toEqual(expected);
    expect((await history.chunks(range)).flatMap((chunk) => chunk.fixes)).toHaveLength(expected.length);
  });
}

function trips(test: Test, start: () => Promise<HistoryHarness>): void {
  const final = (revision: number): TripFinal => ({
    tripId: "eu1-trip",
    revision,
    settledAtMs: T0 + revision,
    distanceM: 1234.5678,
    approachM: 0,
    phases: [{ status: "ENROUTE_TO_PICKUP", fromMs: T0, toMs: T0 + 5, source: "detected" }],
    track: [
      {
        party: DRIVER,
        sessionId: "session-a",
        seq: 3,
        capturedAtMs: T0,
        clockOffsetMs: -2_000,
        receivedAtMs: T0 + 50,
        latDeg: 57.7000001,
        lonDeg: -11.97,
      },
    ],
  });

  test("a final record comes back whole, and a later one replaces it", async () => {
    await using harness = await start();
    await using history = await harness.open();
    expect(await history.final("eu1-trip")).toBeUndefined();
    await history.putFinal(final(1));
    expect(await history.final("eu1-trip")).toEqual(final(1));
    await history.putFinal({ ...final(2), track: [] });
    expect(await history.final("eu1-trip")).toEqual({ ...final(2), track: [] });
  });

  test("an older final record never replaces a newer one", async () => {
    await using harness = await start();
    await using history = await harness.open();
    await history.putFinal(final(2));
    await history.putFinal(final(1));
    await history.putFinal({ ...final(1), settledAtMs: final(2).settledAtMs });
    expect(await history.final("eu1-trip")).toEqual(final(2));
  });

  test("events come oldest first, by pages, and the same one again replaces itself", async () => {
    await using harness = await start();
    await using history = await harness.open();
    const events: TripEvent[] = [
      { tripId: "eu1-trip", atMs: T0, key: "status", kind: "status", status: "NEW", source: "explicit" },
      { tripId: "eu1-trip", atMs: T0 + 1, key: "a", kind: "driver", driverId: "d1" },
      { tripId: "eu1-trip", atMs: T0 + 1, key: "b", kind: "driver", driverId: "d2" },
      {
        tripId: "eu1-trip",
        atMs: T0 + 9,
        key: "settled",
        kind: "settled",
        distanceM: 1.5,
        approachM: 2.5,
        phases: [],
        revision: 1,
      },
    ];
    await history.putEvents(events.toReversed());
    await history.putEvents([events[2]!, { ...events[0]!, tripId: "eu1-other" }]);
    expect(await history.events("eu1-trip", 10)).toEqual(events);
    expect(await history.events("eu1-trip", 2)).toEqual(events.slice(0, 2));
    expect(await history.events("eu1-trip", 2, { atMs: T0 + 1, key: "a" })).toEqual(events.slice(2));
  });

  test("trim removes what was captured before, and nothing else", async () => {
    await using harness = await start();
    await using history = await harness.open();
    const fixes = Array.from({ length: 3_000 }, (_, i) => recordedFix(T0 + i * 1_000, i));
    await history.putChunks(cutInto(DRIVER, fixes, 3));
    await history.putFinal(final(1));
    const event = (atMs: number): TripEvent => ({
      tripId: "t",
      atMs,
      key: "k",
      kind: "driver",
      driverId: "d1",
    });
    await history.putEvents([event(T0), event(T0 + 3e6)]);
    await history.trim(T0 + 2_400_000);
    expect((await paged(history, whole(DRIVER))).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 600 }, (_, i) => 2_400 + i),
    );
    expect(await history.final("eu1-trip")).toBeUndefined();
    expect(await history.events("t", 10)).toEqual([event(T0 + 3e6)]);
  });
}
