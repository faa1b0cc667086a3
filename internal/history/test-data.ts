import fc from "fast-check";
import { FIX_SOURCES, type Party } from "../core/fix.ts";
import type { RecordedFix, TrackChunk } from "./history.ts";

/** A recorded fix with plain values, for tests to spread over. Its corrected time is `atMs`. */
export function recordedFix(atMs: number, seq: number, changes: Partial<RecordedFix> = {}): RecordedFix {
  const clockOffsetMs = changes.clockOffsetMs ?? 0;
  return {
    seq,
    capturedAtMs: atMs - clockOffsetMs,
    latDeg: (577_000_000 + (seq % 1_000) * 1_000) / 1e7,
    lonDeg: 11.97,
    accuracyM: 4.5,
    speedMps: 13.25,
    headingDeg: 271.5,
    altitudeM: Number.NaN,
    source: "gnss",
    mock: false,
    sessionId: "session-a",
    sessionEpoch: 1_000,
    clockOffsetMs,
    receivedAtMs: atMs + 100,
    publishedLatDeg: Number.NaN,
    publishedLonDeg: Number.NaN,
    late: false,
    outlier: false,
    superseded: false,
    ...changes,
  };
}

/** A chunk of the fixes, in this order of arrival. All must be of one session. */
export function chunkOf(party: Party, fixes: readonly RecordedFix[], firstSequence = 1): TrackChunk {
  const times = fixes.map((fix) => fix.capturedAtMs + fix.clockOffsetMs);
  return {
    party,
    sessionId: fixes[0]!.sessionId,
    firstAtMs: times[0]!,
    firstSeq: fixes[0]!.seq,
    firstSequence,
    minAtMs: Math.min(...times),
    maxAtMs: Math.max(...times),
    fixes,
  };
}

const e7 = (maxDeg: number) =>
  fc.integer({ min: -maxDeg * 1e7, max: maxDeg * 1e7 }).map((value) => value / 1e7);
const orNaN = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 3, arbitrary }, fc.constant(Number.NaN));
const steps = (max: number, perUnit: number) =>
  fc.integer({ min: 0, max: max * perUnit }).map((value) => value / perUnit);

/** Any fix that can be in the record, its values at the resolutions of the store. */
export const anyRecordedFix: fc.Arbitrary<RecordedFix> = fc
  .record({
    seq: fc.nat({ max: 0xffff_ffff }),
    atMs: fc.integer({ min: 1_790_000_000_000, max: 1_790_172_800_000 }),
    ageMs: fc.integer({ min: -60_000, max: 172_800_000 }),
    clockOffsetMs: fc.oneof(fc.constant(0), fc.integer({ min: -1e12, max: 1e12 })),
    published: fc.option(fc.record({ latDeg: e7(90), lonDeg: e7(180) })),
    latDeg: e7(90),
    lonDeg: e7(180),
    accuracyM: orNaN(steps(100_000, 100)),
    speedMps: orNaN(steps(150, 100)),
    headingDeg: orNaN(steps(360, 100)),
    altitudeM: orNaN(steps(20_000, 10)),
    source: fc.constantFrom(...FIX_SOURCES),
    mock: fc.boolean(),
    sessionEpoch: fc.oneof(fc.constant(7), fc.integer({ min: 0, max: 4e12 })),
    late: fc.boolean(),
    outlier: fc.boolean(),
    superseded: fc.boolean(),
  })
  .map(({ atMs, ageMs, published, ...fix }) => ({
    ...fix,
    sessionId: "session-a",
    capturedAtMs: atMs - fix.clockOffsetMs,
    receivedAtMs: atMs + ageMs,
    publishedLatDeg: published ? published.latDeg : Number.NaN,
    publishedLonDeg: published ? published.lonDeg : Number.NaN,
  }));
