import type { VehiclePosition, Version as WireVersion } from "../../gen/bimride/tracking/v1/live_pb.ts";
import type { LivePosition } from "../../internal/core/live.ts";
import { type Version, ZERO_VERSION } from "../../internal/core/version.ts";
import { positionMessage } from "../../internal/edge/wire/live-messages.ts";
import type { SeenPosition } from "./live-ledger.ts";

/** What an edge sent, for the ledger. */
export function seenPosition(wire: VehiclePosition | undefined): SeenPosition | undefined {
  return (
    wire && {
      latitudeE7: wire.latitudeE7,
      longitudeE7: wire.longitudeE7,
      headingDeg: wire.headingDeg,
      speedCmps: wire.speedCmps,
      accuracyDm: wire.accuracyDm,
      capturedAtMs: Number(wire.capturedAtMs),
    }
  );
}

/** What the bus or a store holds, as an edge would send it. */
export function asSeen(position: LivePosition | undefined): SeenPosition | undefined {
  return position && seenPosition(positionMessage(position));
}

/** The version in the form of the core. */
export function versionOf(wire: WireVersion | undefined): Version {
  return wire
    ? { generation: wire.generation, sequence: Number(wire.sequence), index: wire.index }
    : ZERO_VERSION;
}
