import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BusRiderPlaceSchema } from "../../../gen/bimride/state/v1/bus_pb.ts";
import type { LivePosition, RiderPlace } from "../../core/live.ts";

/** The numbers of a position, in the order of bimride.state.v1.BusRiderPlace.position. */
const POSITION_FIELDS = [
  "latDeg",
  "lonDeg",
  "headingDeg",
  "speedMps",
  "accuracyM",
  "capturedAtMs",
  "receivedAtMs",
  "loggedAtMs",
  "processedAtMs",
] as const satisfies readonly (keyof LivePosition)[];

/** The bytes of a bimride.state.v1.BusRiderPlace. */
export function encodeRiderPlace({ riderId, sequence, index, position }: RiderPlace): Uint8Array {
  const message = create(BusRiderPlaceSchema, { riderId, sequence: BigInt(sequence), index });
  if (position) message.position = POSITION_FIELDS.map((field) => position[field]);
  return toBinary(BusRiderPlaceSchema, message);
}

/** Inverse of {@link encodeRiderPlace}. Throws when it is damaged: nobody is then shown anything. */
export function decodeRiderPlace(tripId: string, body: Uint8Array): RiderPlace {
  const { riderId, sequence, index, position } = fromBinary(BusRiderPlaceSchema, body);
  if (riderId === "") throw new RangeError("a place without its rider");
  return {
    tripId,
    riderId,
    sequence: Number(sequence),
    index,
    position: position.length > 0 ? positionOf(position) : undefined,
  };
}

/** Newer builds may send more numbers behind these. */
function positionOf(numbers: readonly number[]): LivePosition {
  if (numbers.length < POSITION_FIELDS.length) throw new RangeError("a position cut short");
  return Object.fromEntries(POSITION_FIELDS.map((field, i) => [field, numbers[i]!])) as LivePosition;
}
