import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { TripStateSchema } from "../../../gen/bimride/state/v1/state_pb.ts";
import type { TripLive } from "../../core/live.ts";
import { packLive } from "../../core/packed-live.ts";
import { toDeviceMessage, toLiveTrail, toPlaceMessage } from "../../pipeline/live-messages.ts";
import { live } from "../test-data.ts";
import { decodeTripLive, encodeLive, encodeTrip } from "./trip-record.ts";

const atMs = fc.integer({ min: 0, max: 2 ** 42 });
const degrees = (most: number) => fc.integer({ min: -most * 1e7, max: most * 1e7 }).map((e7) => e7 / 1e7);
const place = fc.record({ latDeg: degrees(90), lonDeg: degrees(180), capturedAtMs: atMs });
const position = place.chain((at) =>
  fc.record({
    ...{ latDeg: fc.constant(at.latDeg), lonDeg: fc.constant(at.lonDeg), capturedAtMs: atMs },
    ...{ headingDeg: fc.double(), speedMps: fc.double(), accuracyM: fc.double() },
    ...{ receivedAtMs: atMs, loggedAtMs: atMs, processedAtMs: atMs },
  }),
);
const device = fc.record({
  state: fc.record({ batteryPercent: fc.integer({ min: 1, max: 100 }) }),
  ...{ connected: fc.boolean(), lost: fc.boolean(), mockFix: fc.boolean() },
  atMs,
});
/** Points of a trail are days apart at most. */
const trail = fc
  .tuple(atMs, fc.array(fc.tuple(fc.nat(86_400_000), degrees(90), degrees(180)), { maxLength: 20 }))
  .map(([firstMs, points]) => {
    let capturedAtMs = firstMs;
    return points.map(([stepMs, latDeg, lonDeg]) => {
      capturedAtMs += stepMs;
      return { latDeg, lonDeg, capturedAtMs };
    });
  });
const anyLive: fc.Arbitrary<TripLive> = fc
  .record({
    ...{ generation: fc.nat(), sequence: fc.maxSafeNat(), index: fc.nat() },
    ...{ position: fc.option(position, { nil: undefined }), trail, dropAtMs: atMs },
    device: fc.option(device, { nil: undefined }),
  })
  .map(({ generation, sequence, index, ...rest }) =>
    live(1, { ...rest, version: { generation, sequence, index } }),
  );

test("a live state is written as the generated code writes it, and comes back", () => {
  fc.assert(
    fc.property(anyLive, (given) => {
      const packed = packLive(given);
      const { version, position: at, device: phone, trip, dropAtMs } = given;
      const message = create(TripStateSchema, {
        generation: version.generation,
        sequence: BigInt(version.sequence),
        index: version.index,
        position: at && toPlaceMessage(at),
        trail: toLiveTrail(packed.trail),
        device: phone && toDeviceMessage({ kind: "driver", id: trip.driverId }, phone),
        dropAtMs: BigInt(dropAtMs),
      });
      const bytes = encodeLive(packed);
      expect(bytes.equals(toBinary(TripStateSchema, message))).toBe(true);
      expect(decodeTripLive(bytes, encodeTrip(trip))).toEqual(given);
    }),
    { numRuns: 2_000 },
  );
});
