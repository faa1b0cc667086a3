import { create } from "@bufbuild/protobuf";
import { type Fix, FixSchema, FixSource } from "../../gen/bimride/tracking/v1/fix_pb.ts";

/** Where a position came from. */
export type PositionSource = "gnss" | "fused" | "network" | "unknown";

/** A position as a device gives it. What is not known is left out; numbers that are none count as left out. */
export type Position = {
  latDeg: number;
  lonDeg: number;
  /** Radius of 68 % confidence, metres. */
  accuracyM?: number;
  speedMps?: number;
  /** Degrees clockwise from north, 0 to 360. */
  headingDeg?: number;
  /** Metres above the ellipsoid. */
  altitudeM?: number;
  source?: PositionSource;
  /** The operating system marks it as made up. */
  mock?: boolean;
  /** Device clock, milliseconds since 1970; now when left out. */
  capturedAtMs?: number;
};

/** A position with its number in the session. */
export type CapturedFix = Position & { seq: number; capturedAtMs: number };

const SOURCES: Record<PositionSource, FixSource> = {
  gnss: FixSource.GNSS,
  fused: FixSource.FUSED,
  network: FixSource.NETWORK,
  unknown: FixSource.UNSPECIFIED,
};

/** Numbers a position. */
export function capture(position: Position, seq: number, nowMs: number): CapturedFix {
  const { capturedAtMs } = position;
  return { ...position, seq, capturedAtMs: Math.round(known(capturedAtMs) ?? nowMs) };
}

/** The fix as it goes out. */
export function toWire(fix: CapturedFix): Fix {
  return create(FixSchema, {
    seq: fix.seq,
    capturedAtMs: BigInt(fix.capturedAtMs),
    position: { latitudeDeg: fix.latDeg, longitudeDeg: fix.lonDeg },
    accuracyM: known(fix.accuracyM),
    speedMps: known(fix.speedMps),
    headingDeg: known(fix.headingDeg),
    altitudeM: known(fix.altitudeM),
    source: fix.source ? SOURCES[fix.source] : FixSource.UNSPECIFIED,
    mock: fix.mock ?? false,
  });
}

function known(value: number | null | undefined): number | undefined {
  return value !== null && value !== undefined && Number.isFinite(value) ? value : undefined;
}
