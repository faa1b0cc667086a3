import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Fix, FixBatch } from "../core/fix.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { ProcessedFix } from "../pipeline/output.ts";
import { type OpenChunk, OpenChunks, trackChunk } from "./open-chunks.ts";

const T0 = 1_700_000_000_000;
const limits = { ...DEFAULT_LIMITS, maxFixesPerChunk: 5, maxChunkSpanMs: 60_000 };

function processed(seq: number, atMs: number, sessionId = "session-a"): ProcessedFix {
  const fix: Fix = {
    ...{ seq, capturedAtMs: atMs, latDeg: 57, lonDeg: 12, accuracyM: 5, speedMps: 1, headingDeg: 0 },
    ...{ altitudeM: Number.NaN, source: "gnss" as const, mock: false },
  };
  const batch: FixBatch = {
    ...{ party: { kind: "driver" as const, id: "car" }, sessionId, sessionEpoch: 1 },
    ...{ receivedAtMs: atMs, clockOffsetMs: 0, fixes: [fix] },
  };
  return {
    ...{ batch, fix, atMs, disposition: "applied" as const, outlier: false },
    ...{ publishedLatDeg: 57, publishedLonDeg: 12, tripId: "" },
  };
}

const openChunks = (clock = new VirtualClock(0), rewriteMs = 0, random = () => 0) =>
  new OpenChunks(limits, clock, rewriteMs, random);

const seqsOf = (chunk: OpenChunk) => trackChunk(chunk).fixes.map(({ seq }) => seq);

describe("open chunks", () => {
  test("hold every fix once, whatever order and sessions they come in", () => {
    const fix = fc.record({
      age: fc.integer({ min: 0, max: 600_000 }),
      session: fc.constantFrom("session-a", "session-b"),
    });
    fc.assert(
      fc.property(fc.array(fix, { maxLength: 60 }), (fixes) => {
        const chunks = openChunks();
        const rows = new Map<string, number[]>();
        fixes.forEach(({ age, session }, seq) => {
          chunks.add(processed(seq, T0 + seq * 1_000 - age, session), T0 + seq * 1_000, seq + 1);
          for (const chunk of chunks.takeDirty(false)) {
            expect(chunk.fixes.length).toBeLessThanOrEqual(limits.maxFixesPerChunk);
            expect(chunk.maxAtMs - chunk.minAtMs).toBeLessThanOrEqual(2 * limits.maxChunkSpanMs);
            rows.set(`${chunk.sessionId} ${chunk.firstAtMs} ${chunk.firstSeq}`, seqsOf(chunk));
          }
        });
        const stored = [...rows.values()].flat().sort((a, b) => a - b);
        expect(stored).toEqual(fixes.map((_, seq) => seq));
      }),
    );
  });

  test("a chunk that grows waits for its time, one that is full or asked for does not", () => {
    const clock = new VirtualClock(0);
    const chunks = openChunks(clock, 15_000);
    const add = (seq: number) => chunks.add(processed(seq, T0 + seq), T0 + seq, seq + 1);
    add(0);
    expect(chunks.takeDirty(false)).toEqual([]);
    clock.advanceTo(15_000);
    expect(chunks.takeDirty(false)).toHaveLength(1);
    add(1);
    expect(chunks.takeDirty(false)).toEqual([]);
    expect(chunks.takeDirty(true)).toHaveLength(1);
    for (let seq = 2; seq < limits.maxFixesPerChunk; seq++) add(seq);
    expect(chunks.takeDirty(false)).toHaveLength(1);
    expect(chunks.takeDirty(true)).toEqual([]);
  });

  test("chunks that begin together are written at times of their own", () => {
    const clock = new VirtualClock(0);
    let next = 0;
    const chunks = openChunks(clock, 15_000, () => next++ / 4);
    for (let car = 0; car < 3; car++) chunks.add(processed(0, T0, `session-${car}`), T0, car + 1);
    const written = [7_500, 11_250, 15_000].map((atMs) => {
      clock.advanceTo(atMs);
      return chunks.takeDirty(false).map(({ sessionId }) => sessionId);
    });
    expect(written).toEqual([["session-2"], ["session-1"], ["session-0"]]);
  });

  test("a chunk that could not be stored is given again", () => {
    const chunks = openChunks();
    chunks.add(processed(0, T0), T0, 1);
    const taken = chunks.takeDirty(false);
    expect(chunks.takeDirty(false)).toEqual([]);
    for (const chunk of taken) chunks.retry(chunk);
    expect(chunks.takeDirty(false)).toEqual(taken);
  });

  test("what is full and not stored yet stays in the snapshot", () => {
    const chunks = openChunks();
    for (let seq = 0; seq < 12; seq++) chunks.add(processed(seq, T0 + seq), T0 + seq, seq + 1);
    expect(chunks.all().flatMap(seqsOf)).toHaveLength(12);
  });

  test("a restored chunk goes on growing under its old key", () => {
    const first = openChunks();
    first.add(processed(0, T0), T0, 1);
    const second = openChunks();
    second.restore(first.all().map(trackChunk), T0);
    second.add(processed(1, T0 + 1_000), T0 + 1_000, 2);
    const [chunk] = second.takeDirty(false);
    expect(chunk).toMatchObject({ firstAtMs: T0, firstSeq: 0, firstSequence: 1 });
    expect(seqsOf(chunk!)).toEqual([0, 1]);
  });

  test("chunks of the silent are forgotten once they are stored", () => {
    const chunks = openChunks();
    chunks.add(processed(0, T0), T0, 1);
    chunks.closeOld(T0 + limits.maxChunkSpanMs + 1);
    expect(chunks.all()).toHaveLength(1);
    chunks.takeDirty(false);
    chunks.closeOld(T0 + limits.maxChunkSpanMs + 1);
    expect(chunks.all()).toHaveLength(0);
  });
});
