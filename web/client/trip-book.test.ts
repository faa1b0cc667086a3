import fc from "fast-check";
import { expect, it } from "vitest";
import { rider, snapshot, started, update, version } from "./fake-transport.ts";
import { compareLiveVersions, type LiveVersion } from "./live-version.ts";
import { TripBook } from "./trip-book.ts";
import { MAX_TRAIL_POINTS } from "./trip-state.ts";

const TRIP = "gbg-00000000000000000000000000";
const clock = { now: () => 1_000_000, monotonic: () => 0, after: () => () => {} };

const messages = fc.array(
  fc.record({
    generation: fc.integer({ min: 1, max: 3 }),
    sequence: fc.integer({ min: 0, max: 400 }),
    index: fc.integer({ min: 0, max: 2 }),
    isSnapshot: fc.boolean(),
  }),
  { maxLength: 400 },
);

it("shows strictly newer versions only, whatever two sessions bring in whatever order", () => {
  fc.assert(
    fc.property(messages, (all) => {
      const book = new TripBook([TRIP], clock);
      const shown: LiveVersion[] = [];
      book.subscribe((state, change) => {
        if (change === "version" && state.version) shown.push(state.version);
        expect(state.trail.length).toBeLessThanOrEqual(MAX_TRAIL_POINTS);
      });
      for (const { generation, sequence, index, isSnapshot } of all) {
        const of = version(sequence, generation, index);
        const atMs = 1_000_000 + sequence * 1000 + index;
        book.take(isSnapshot ? snapshot(TRIP, of, atMs) : update(TRIP, of, atMs));
      }
      for (let i = 1; i < shown.length; i++)
        expect(compareLiveVersions(shown[i]!, shown[i - 1]!)).toBeGreaterThan(0);
      const first = all.findIndex((message) => message.isSnapshot);
      if (first >= 0) {
        const newest = all
          .slice(first)
          .map((message) => version(message.sequence, message.generation, message.index))
          .sort(compareLiveVersions)
          .at(-1)!;
        expect(compareLiveVersions(shown.at(-1)!, newest)).toBe(0);
      }
    }),
  );
});

it("keeps the newest place of each rider, beside the version, until they are gone or a new stream begins", () => {
  const book = new TripBook([TRIP], clock);
  const changes: string[] = [];
  book.subscribe((_state, change) => changes.push(change));
  const riders = () =>
    book.states.get(TRIP)!.riders.map(({ riderId, position }) => [riderId, Number(position?.capturedAtMs)]);
  book.take(snapshot(TRIP, version(1), 5));
  book.take(rider(TRIP, "ann", 10));
  book.take(rider(TRIP, "bob", 11));
  book.take(rider(TRIP, "ann", 12));
  book.take(update(TRIP, version(2), 13));
  expect(riders()).toEqual([
    ["bob", 11],
    ["ann", 12],
  ]);
  book.take(rider(TRIP, "bob"));
  expect(riders()).toEqual([["ann", 12]]);
  expect(book.states.get(TRIP)!.version?.sequence).toBe(2n);
  expect(changes.slice(-3)).toEqual(["riders", "version", "riders"]);
  book.take(started(20, 1_000));
  expect(riders()).toEqual([]);
  // A polled answer of the same version may bring riders too.
  book.take(rider(TRIP, "ann", 14));
  book.take(snapshot(TRIP, version(2), 13));
  expect(riders()).toEqual([]);
});
