import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { TripStateSchema } from "../../gen/bimride/state/v1/state_pb.ts";
import { Trail } from "../core/trail.ts";
import { fromLiveTrail, fromPlaceMessage, toLiveTrail, toPlaceMessage } from "./live-messages.ts";

const POSITION = {
  ...{ latDeg: 57.7, lonDeg: 11.9, headingDeg: 90, speedMps: 8.5, accuracyM: 4 },
  ...{ capturedAtMs: 1_000, receivedAtMs: 1_100, loggedAtMs: 1_110, processedAtMs: 1_120 },
};
const TRAIL = [
  { latDeg: 57.7, lonDeg: 11.9, capturedAtMs: 1_790_000_000_000 },
  { latDeg: -57.7000001, lonDeg: -179.9999999, capturedAtMs: 1_790_000_001_500 },
];

test("place and trail come back the same from wherever they lie in a larger buffer", () => {
  const message = { position: toPlaceMessage(POSITION), trail: toLiveTrail(Trail.of(TRAIL)) };
  const bytes = toBinary(TripStateSchema, create(TripStateSchema, message));
  for (const offset of [0, 1, 2, 3]) {
    const larger = Buffer.alloc(bytes.length + offset + 5, 0xff);
    larger.set(bytes, offset);
    const read = fromBinary(TripStateSchema, larger.subarray(offset, offset + bytes.length));
    expect(fromPlaceMessage(read.position!)).toEqual(POSITION);
    expect(fromLiveTrail(read.trail!)).toEqual(TRAIL);
  }
});

test("a trail without points stays one", () => {
  const { trail } = create(TripStateSchema, { trail: toLiveTrail(new Trail()) });
  expect(fromLiveTrail(trail!)).toEqual([]);
});
