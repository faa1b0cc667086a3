import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TrackChunkSchema } from "../../gen/bimride/state/v1/chunk_pb.ts";
import { PARTY_KINDS } from "../core/fix.ts";
import { decodeChunk, decodeFinalTrack, encodeChunk, encodeFinalTrack } from "./codec.ts";
import { anyRecordedFix, chunkOf, recordedFix } from "./test-data.ts";

const party = fc.record({
  kind: fc.constantFrom(...PARTY_KINDS),
  id: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
});
const chunk = fc
  .tuple(party, fc.array(anyRecordedFix, { minLength: 1, maxLength: 60 }))
  .map(([of, fixes]) => chunkOf(of, fixes));

describe("the encoding of history", () => {
  test("a chunk comes back as it was at the resolutions of the store", () => {
    fc.assert(
      fc.property(chunk, (one) => {
        expect(decodeChunk(encodeChunk(one))).toEqual(one);
      }),
      { numRuns: 300 },
    );
  });

  test("a chunk is byte for byte what the generated code writes", () => {
    fc.assert(
      fc.property(chunk, (one) => {
        const bytes = encodeChunk(one);
        const generated = fromBinary(TrackChunkSchema, bytes);
        expect(generated.$unknown).toBeUndefined();
        expect(toBinary(TrackChunkSchema, generated)).toEqual(bytes);
      }),
    );
  });

  test("a full chunk of a drive takes less than 25 bytes per fix", () => {
    const fixes = Array.from({ length: 60 }, (_, i) =>
      recordedFix(1_790_000_000_000 + i * 4_000, i, {
        latDeg: 57.7 + i * 5e-4,
        lonDeg: 11.97 - i * 3e-4,
        publishedLatDeg: 57.7 + i * 5e-4 + 1e-5,
        publishedLonDeg: 11.97 - i * 3e-4,
      }),
    );
    expect(encodeChunk(chunkOf({ kind: "driver", id: "d1" }, fixes)).length).toBeLessThan(25 * 60);
  });

  test("a final track comes back as it was, across parties and sessions", () => {
    const point = fc
      .tuple(party, anyRecordedFix, fc.constantFrom("session-a", "session-b"))
      .map(([of, fix, sessionId]) => ({
        party: of,
        sessionId,
        seq: fix.seq,
        capturedAtMs: fix.capturedAtMs,
        clockOffsetMs: fix.clockOffsetMs,
        receivedAtMs: fix.receivedAtMs,
        latDeg: fix.latDeg,
        lonDeg: fix.lonDeg,
      }));
    fc.assert(
      fc.property(fc.array(point, { maxLength: 50 }), (points) => {
        expect(decodeFinalTrack(encodeFinalTrack(points))).toEqual(points);
      }),
    );
  });

  test("damaged bytes throw instead of giving other fixes of another number", () => {
    const bytes = encodeChunk(
      chunkOf({ kind: "driver", id: "d1" }, [recordedFix(1_000, 0), recordedFix(2_000, 1)]),
    );
    for (let length = 1; length < bytes.length; length++) {
      let fixes = -1;
      try {
        fixes = decodeChunk(bytes.subarray(0, length)).fixes.length;
      } catch {
        // What the test asks for: cut bytes either still hold whole columns or throw.
        continue;
      }
      expect([0, 2]).toContain(fixes);
    }
  });
});
