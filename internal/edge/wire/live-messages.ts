import { create, type MessageInitShape } from "@bufbuild/protobuf";
import * as pb from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { FreshnessLevel, FreshnessNow, FreshnessReason } from "../../core/freshness.ts";
import { toE7 } from "../../core/geo.ts";
import type { LivePosition, RiderPlace, TrailPoint } from "../../core/live.ts";
import type { Version } from "../../core/version.ts";

const LEVEL_TO_WIRE: Record<FreshnessLevel, pb.Freshness> = {
  none: pb.Freshness.UNSPECIFIED,
  live: pb.Freshness.LIVE,
  delayed: pb.Freshness.DELAYED,
  stale: pb.Freshness.STALE,
  lost: pb.Freshness.LOST,
};
const REASON_TO_WIRE: Record<FreshnessReason, pb.FreshnessReason> = {
  none: pb.FreshnessReason.UNSPECIFIED,
  no_driver: pb.FreshnessReason.NO_DRIVER,
  no_position_yet: pb.FreshnessReason.NO_POSITION_YET,
  no_signal: pb.FreshnessReason.NO_SIGNAL,
  location_off: pb.FreshnessReason.LOCATION_OFF,
  no_permission: pb.FreshnessReason.NO_PERMISSION,
  airplane_mode: pb.FreshnessReason.AIRPLANE_MODE,
  battery_empty: pb.FreshnessReason.BATTERY_EMPTY,
  disconnected: pb.FreshnessReason.DISCONNECTED,
  catching_up: pb.FreshnessReason.CATCHING_UP,
  service: pb.FreshnessReason.SERVICE,
  mock_location: pb.FreshnessReason.MOCK_LOCATION,
  background: pb.FreshnessReason.BACKGROUND,
  approximate_location: pb.FreshnessReason.APPROXIMATE_LOCATION,
};
const MAX_UINT32 = 0xffff_ffff;

export function freshnessLevel(level: FreshnessLevel): pb.Freshness {
  return LEVEL_TO_WIRE[level];
}

export function freshnessMessage(now: FreshnessNow): pb.FreshnessState {
  return create(pb.FreshnessStateSchema, {
    freshness: LEVEL_TO_WIRE[now.freshness],
    reason: REASON_TO_WIRE[now.reason],
    sinceMs: BigInt(Math.round(now.sinceMs)),
  });
}

export function versionMessage(version: Version): pb.Version {
  return create(pb.VersionSchema, {
    generation: version.generation,
    sequence: BigInt(version.sequence),
    index: version.index,
  });
}

/** The version that a client says it has; undefined when it has none or names one that can't be. */
export function versionOf(version: pb.Version | undefined): Version | undefined {
  if (!version || version.sequence > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return { generation: version.generation, sequence: Number(version.sequence), index: version.index };
}

/** The car's position, rounded to what its fields hold: 1e-7 degrees, whole degrees, cm/s, dm. */
export function positionMessage(position: LivePosition): pb.VehiclePosition {
  const init: MessageInitShape<typeof pb.VehiclePositionSchema> = {
    latitudeE7: toE7(position.latDeg),
    longitudeE7: toE7(position.lonDeg),
    accuracyDm: unsigned(position.accuracyM * 10),
    capturedAtMs: BigInt(Math.round(position.capturedAtMs)),
    receivedAfterMs: unsigned(position.receivedAtMs - position.capturedAtMs),
  };
  if (!Number.isNaN(position.headingDeg)) init.headingDeg = unsigned(position.headingDeg) % 360;
  if (!Number.isNaN(position.speedMps)) init.speedCmps = unsigned(position.speedMps * 100);
  return create(pb.VehiclePositionSchema, init);
}

/** Where a rider is, or that they are not shown any more. */
export function riderMessage({ tripId, riderId, position }: RiderPlace): pb.RiderPlace {
  const message = create(pb.RiderPlaceSchema, { tripId, riderId });
  if (position) message.position = positionMessage(position);
  return message;
}

export function trailMessage(point: TrailPoint): MessageInitShape<typeof pb.TrailPointSchema> {
  return {
    latitudeE7: toE7(point.latDeg),
    longitudeE7: toE7(point.lonDeg),
    capturedAtMs: BigInt(Math.round(point.capturedAtMs)),
  };
}

/** Rounded into 0…2^32 − 1; NaN becomes 0. */
function unsigned(value: number): number {
  return value > 0 ? Math.min(MAX_UINT32, Math.round(value)) : 0;
}
