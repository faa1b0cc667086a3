import { describe, expect, test } from "vitest";
import type { LogRecord } from "../../eventlog/record.ts";
import { createPartitionState } from "../pipeline.ts";
import { batchOf, fixOf, HERE, LIMITS, run, T0, tripOf } from "../test-drives.ts";

const LIVE_S = 20;
const NETWORK_MS = 100;

/** The fixes that the records yield, after a drive of 20 s with a live fix each second (seq 0–19). */
function outcomesOf(...records: LogRecord[]) {
  const drive = Array.from({ length: LIVE_S }, (_, i) => live(i, i));
  const trip = { kind: "tripChange", receivedAtMs: T0, trip: tripOf() } as const;
  const log = [trip, ...drive, ...records].map((record, i) => ({
    ...{ sequence: i + 1, loggedAtMs: record.receivedAtMs, records: [record] },
  }));
  const outs = run(createPartitionState(HERE), log).slice(1 + LIVE_S);
  return outs.flatMap((out) => out.fixes).map(({ disposition, atMs }) => [disposition, (atMs - T0) / 1_000]);
}

/** A fix of second `atS` of true time that arrives at once; `wrongS` is how far the device clock is off. */
function live(
  seq: number,
  atS: number,
  wrongS = 0,
  fields: { session?: number; offsetS?: number } = {},
): LogRecord {
  const { session = 0, offsetS = 0 } = fields;
  return batchOf(T0 + 1_000 * atS + NETWORK_MS, [fixOf(seq, T0 + 1_000 * (atS + wrongS), 10 * atS)], {
    ...{ sessionId: `session-${session}`, sessionEpoch: 1 + session, clockOffsetMs: 1_000 * offsetS },
  });
}

const seconds = (count: number) => Array.from({ length: count }, (_, i) => LIVE_S + i);
const dispositions = (found: ReturnType<typeof outcomesOf>) => found.map(([disposition]) => disposition);

describe("the order of fixes", () => {
  test("a lower seq is late, a higher one moves the marker", () => {
    const batch = batchOf(T0 + 30_000, [fixOf(25, T0 + 25_000, 250), fixOf(22, T0 + 22_000, 220)]);
    const late = batchOf(T0 + 31_000, [fixOf(23, T0 + 23_000, 230)]);
    expect(outcomesOf(batch, late)).toEqual([
      ["applied", 22],
      ["applied", 25],
      ["late", 23],
    ]);
  });

  test("a fix that waited and is numbered as it was sent is late, and live ones go on", () => {
    const waited = batchOf(T0 + 20_000, [fixOf(20, T0 + 8_500, 85)]);
    expect(outcomesOf(waited, live(21, 20), live(22, 21))).toEqual([
      ["late", 8.5],
      ["applied", 20],
      ["applied", 21],
    ]);
  });

  test("many that waited, numbered as they were sent, are no clock step either", () => {
    const newest = live(20, 120);
    const waited = Array.from({ length: 40 }, (_, i) =>
      batchOf(T0 + 120_200 + 50 * i, [fixOf(21 + i, T0 + 119_000 - 2_000 * i, 0)]),
    );
    const among = seconds(60).map((atS, i) => [
      live(61 + 2 * i, 102 + atS),
      batchOf(T0 + 1_000 * (102 + atS) + 500, [fixOf(62 + 2 * i, T0 + 20_500 + 100 * i, 0)]),
    ]);
    const found = dispositions(outcomesOf(newest, ...waited, ...among.flat()));
    expect(found.slice(0, 41)).toEqual(["applied", ...waited.map(() => "late")]);
    expect(found.slice(41)).toEqual(among.flatMap(() => ["applied", "late"]));
  });

  test("a long backlog sent at once by a parked car counts once", () => {
    const batches = Array.from({ length: 5 }, (_, i) =>
      batchOf(
        T0 + 200_000,
        Array.from({ length: 3 }, (_, j) => fixOf(20 + 3 * i + j, T0 + 1_000 * i + 100 * j + 50, 0)),
      ),
    );
    expect(new Set(dispositions(outcomesOf(...batches)))).toEqual(new Set(["late"]));
  });

  test("a clock set back is noticed once the marker is silent, and time goes on from the receipt", () => {
    const found = outcomesOf(...seconds(40).map((atS) => live(atS, atS, -45)));
    const first = dispositions(found).indexOf("applied");
    expect(LIVE_S - 1 + first).toBeLessThanOrEqual(LIVE_S + LIMITS.delayedAfterMs / 1_000);
    for (const [i, [disposition, atS]] of found.entries()) {
      expect(disposition).toBe(i < first ? "late" : "applied");
      if (i >= first) expect(atS).toBeCloseTo(LIVE_S + i + NETWORK_MS / 1_000);
    }
  });

  test.each([
    ["the clock is set right again", 0, 0],
    ["the gateway learns of the step", -45, 45],
  ])("when %s the shift ends, and no fix is shown as newer than its receipt", (_why, wrongS, offsetS) => {
    const step = seconds(20).map((atS) => live(atS, atS, -45));
    const right = seconds(20).map((atS) => live(20 + atS, 20 + atS, wrongS, { offsetS }));
    const found = outcomesOf(...step, ...right).slice(20);
    found.forEach(([disposition, atS], i) => {
      expect(disposition).toBe("applied");
      expect(Math.abs((atS as number) - (LIVE_S + 20 + i))).toBeLessThanOrEqual(NETWORK_MS / 1_000 + 0.001);
    });
  });

  test("a clock set forward and back again freezes the marker, which never goes back", () => {
    const found = outcomesOf(live(20, 20, 30), ...seconds(60).map((atS) => live(atS + 1, atS + 1)));
    const shown = found.filter(([disposition]) => disposition === "applied").map(([, atS]) => atS as number);
    expect(shown).toEqual(shown.toSorted((a, b) => a - b));
    expect(shown[0]).toBe(50);
    expect(shown.at(-1)).toBeGreaterThanOrEqual(80);
  });

  test("a phone that takes over brings its backlog without moving the marker back, or time", () => {
    const backlog = Array.from({ length: 15 }, (_, i) =>
      batchOf(T0 + 90_000 + 1_000 * i, [fixOf(i, T0 + 1_000 * i + 300, 10 * i)], {
        sessionId: "session-1",
        sessionEpoch: 2,
      }),
    );
    const found = outcomesOf(...backlog, live(15, 106, 0, { session: 1 }));
    expect(dispositions(found)).toEqual([...backlog.map(() => "late"), "applied"]);
    expect(found.at(-1)).toEqual(["applied", 106]);
  });

  test("the phone that was taken over moves nothing, unless its session opens again", () => {
    expect(outcomesOf(live(0, 20, 0, { session: 1 }), live(20, 21), live(1, 22, 0, { session: 1 }))).toEqual([
      ["applied", 20],
      ["superseded", 21],
      ["applied", 22],
    ]);
    const again = batchOf(T0 + 23_000, [fixOf(21, T0 + 23_000, 230)], { sessionEpoch: 9 });
    expect(dispositions(outcomesOf(live(0, 20, 0, { session: 1 }), again))).toEqual(["applied", "applied"]);
  });
});
