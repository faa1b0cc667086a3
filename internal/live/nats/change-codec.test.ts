import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { BusChangeSchema } from "../../../gen/bimride/state/v1/bus_pb.ts";
import { ChangeMaker, positionAt, tripOf } from "../kit.ts";
import { decodeChange, encodeChange } from "./change-codec.ts";

const TRIP = "se1-0000000000000000000000000a";

test("what is written by hand is the message of the contract, to the byte", () => {
  const maker = new ChangeMaker(TRIP);
  const changes = [
    maker.begin(),
    maker.move(1_700_000_000_000),
    maker.next({
      position: positionAt(5),
      latePoints: [
        { latDeg: 1.5, lonDeg: -2, capturedAtMs: 3 },
        { latDeg: 4, lonDeg: 5, capturedAtMs: 6 },
      ],
      trip: tripOf(TRIP),
      device: { state: { batteryPercent: 3 }, connected: true, lost: false, mockFix: true, atMs: 9 },
    }),
  ];
  for (const change of changes) {
    const bytes = encodeChange(change);
    const message = fromBinary(BusChangeSchema, bytes);
    expect(message.version).toEqual([1, change.version.sequence, 0]);
    expect(message.position.slice(0, 2)).toEqual(
      change.position ? [change.position.latDeg, change.position.lonDeg] : [],
    );
    expect(message.latePoints).toEqual(change.latePoints ? [1.5, -2, 3, 4, 5, 6] : []);
    expect(toBinary(BusChangeSchema, message)).toEqual(bytes);
    expect(decodeChange(TRIP, bytes)).toEqual(change);
  }
});

test("fields and numbers of a newer build are passed over, damage is not", () => {
  const change = new ChangeMaker(TRIP).move(7);
  const bytes = encodeChange(change);
  const unknown = new Uint8Array([...bytes, 0xf8, 0x01, 0x05, 0xfa, 0x01, 0x01, 0x00]);
  expect(decodeChange(TRIP, unknown)).toEqual(change);
  for (let length = 0; length < bytes.length; length++) {
    // Cut between two fields it is a change without what follows; a version must be there.
    if (length === 52) continue;
    expect(() => decodeChange(TRIP, bytes.subarray(0, length))).toThrow();
  }
});
