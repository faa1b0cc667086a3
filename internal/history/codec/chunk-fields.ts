import { FIX_SOURCES } from "../../core/fix.ts";
import type { RecordedFix } from "../history.ts";

/**
 * bimride.state.v1.TrackChunk by hand, because an open chunk is written again and again while it grows. A test holds it
 * equal to the generated code. Field numbers: proto/bimride/state/v1/chunk.proto.
 */
export const FIELD = {
  schemaVersion: 1,
  party: 2,
  sessionId: 3,
  firstAtMs: 4,
  firstSeq: 5,
  minAtMs: 6,
  maxAtMs: 7,
  sessionEpoch: 8,
  clockOffsetMs: 9,
  seq: 10,
  atMs: 11,
  ageMs: 12,
  latitudeE7: 13,
  longitudeE7: 14,
  accuracyCm1: 15,
  speedCmps1: 16,
  headingCdeg1: 17,
  altitudeDm: 18,
  flags: 19,
  publishedLatitudeE7: 20,
  publishedLongitudeE7: 21,
  sessionEpochDifference: 22,
  clockOffsetDifferenceMs: 23,
  firstSequence: 24,
} as const;
/** What encodeChunk writes and the newest that decodeChunk reads. */
export const SCHEMA_VERSION = 1;
/** Value of the altitude column for a fix without one. */
export const ALTITUDE_UNKNOWN = -2_147_483_648;
/** Bits of the flags column. */
export const SOURCE_MASK = 15;
export const MOCK = 16;
export const LATE = 32;
export const OUTLIER = 64;
export const SUPERSEDED = 128;
export const PUBLISHED = 256;

/** The flags of a fix but for PUBLISHED, its source in the low bits. */
export function flagsOf({ source, mock, late, outlier, superseded }: RecordedFix): number {
  return (
    FIX_SOURCES.indexOf(source) |
    (mock ? MOCK : 0) |
    (late ? LATE : 0) |
    (outlier ? OUTLIER : 0) |
    (superseded ? SUPERSEDED : 0)
  );
}
