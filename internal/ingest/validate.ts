import type { ErrorCode } from "../core/errors.ts";
import { BimrideError } from "../core/errors.ts";
import type { Fix } from "../core/fix.ts";
import { SESSION_ID_PATTERN } from "../core/ids.ts";
import type { Limits } from "../core/limits.ts";
import type { FixInput, HelloInput } from "./messages.ts";

/** Why a fix is refused for good: a code of the error vocabulary and the field of Fix at fault. */
export type Fault = { reason: ErrorCode; field: string };

const MAX_SEQ = 0xffff_ffff;
const MAX_NAME_LENGTH = 64;
/** Ranges of what a device may report beside its place; borders included. Units are in the names of the fields. */
const MAX_ACCURACY_M = 100_000;
const MAX_SPEED_MPS = 150;
const MAX_HEADING_DEG = 360;
const MIN_ALTITUDE_M = -1_000;
const MAX_ALTITUDE_M = 20_000;

const fault = (reason: ErrorCode, field: string): Fault => ({ reason, field });
const SEQ_FAULT = fault("SEQ_INVALID", "seq");
const LATITUDE_FAULT = fault("POSITION_INVALID", "position.latitude_deg");
const LONGITUDE_FAULT = fault("POSITION_INVALID", "position.longitude_deg");
const MISSING_POSITION_FAULT = fault("POSITION_INVALID", "position");
const NULL_ISLAND_FAULT = fault("POSITION_NULL_ISLAND", "position");
const ACCURACY_FAULT = fault("ACCURACY_INVALID", "accuracy_m");
const SPEED_FAULT = fault("SPEED_INVALID", "speed_mps");
const HEADING_FAULT = fault("HEADING_INVALID", "heading_deg");
const ALTITUDE_FAULT = fault("ALTITUDE_INVALID", "altitude_m");
const TOO_OLD_FAULT = fault("CAPTURED_TOO_OLD", "captured_at_ms");
const IN_FUTURE_FAULT = fault("CAPTURED_IN_FUTURE", "captured_at_ms");

/** True when the number is there and within the borders; false for NaN. */
function within(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}

/** The first fault of a fix that does not depend on time, or undefined. Pure. */
export function faultOf(fix: FixInput): Fault | undefined {
  if (!Number.isInteger(fix.seq) || !within(fix.seq, 0, MAX_SEQ)) return SEQ_FAULT;
  const { latDeg, lonDeg } = fix;
  if (latDeg === undefined || lonDeg === undefined) return MISSING_POSITION_FAULT;
  if (!within(latDeg, -90, 90)) return LATITUDE_FAULT;
  if (!within(lonDeg, -180, 180)) return LONGITUDE_FAULT;
  if (latDeg === 0 && lonDeg === 0) return NULL_ISLAND_FAULT;
  if (fix.accuracyM !== undefined && !within(fix.accuracyM, 0, MAX_ACCURACY_M)) return ACCURACY_FAULT;
  if (fix.speedMps !== undefined && !within(fix.speedMps, 0, MAX_SPEED_MPS)) return SPEED_FAULT;
  if (fix.headingDeg !== undefined && !within(fix.headingDeg, 0, MAX_HEADING_DEG)) return HEADING_FAULT;
  if (fix.altitudeM !== undefined && !within(fix.altitudeM, MIN_ALTITUDE_M, MAX_ALTITUDE_M))
    return ALTITUDE_FAULT;
  return undefined;
}

/**
 * The fault of a capture time, or undefined. Pure.
 * @param ageMs receipt minus capture time corrected by the session's clock offset; NaN is too old
 */
export function timeFaultOf(
  ageMs: number,
  limits: Pick<Limits, "maxFixAgeMs" | "maxFixAheadMs">,
): Fault | undefined {
  if (ageMs < -limits.maxFixAheadMs) return IN_FUTURE_FAULT;
  return ageMs <= limits.maxFixAgeMs ? undefined : TOO_OLD_FAULT;
}

/** The fix in its one shape: what the device did not report becomes NaN. The input must be without {@link faultOf}. */
export function toFix(input: FixInput): Fix {
  return {
    seq: input.seq,
    capturedAtMs: input.capturedAtMs,
    latDeg: input.latDeg ?? Number.NaN,
    lonDeg: input.lonDeg ?? Number.NaN,
    accuracyM: input.accuracyM ?? Number.NaN,
    speedMps: input.speedMps ?? Number.NaN,
    headingDeg: input.headingDeg ?? Number.NaN,
    altitudeM: input.altitudeM ?? Number.NaN,
    source: input.source,
    mock: input.mock,
  };
}

/** The first fault of a Hello, or undefined. Whether its party may be named is the session's question. Pure. */
export function helloFaultOf(hello: HelloInput): BimrideError | undefined {
  if (!SESSION_ID_PATTERN.test(hello.sessionId))
    return new BimrideError("SESSION_ID_INVALID", undefined, { field: "session_id" });
  const tooLong = (["deviceId", "appVersion", "lastRegion"] as const).find(
    (name) => hello[name].length > MAX_NAME_LENGTH,
  );
  if (tooLong === undefined) return batteryFaultOf(hello.deviceState);
  const field = tooLong.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return new BimrideError("FIELD_INVALID", `At most ${MAX_NAME_LENGTH} characters.`, { field });
}

/** The fault of a device state, or undefined. Pure. */
export function batteryFaultOf(state: HelloInput["deviceState"]): BimrideError | undefined {
  const percent = state?.batteryPercent;
  return percent === undefined || within(percent, 0, 100)
    ? undefined
    : new BimrideError("FIELD_INVALID", "0 to 100 percent.", { field: "device_state.battery_percent" });
}
