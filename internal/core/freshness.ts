import type { DeviceState } from "./fix.ts";
import type { Limits } from "./limits.ts";
import type { DeviceStatus } from "./live.ts";

/** `none`: there is no position to judge. */
export const FRESHNESS_LEVELS = ["none", "live", "delayed", "stale", "lost"] as const;
export type FreshnessLevel = (typeof FRESHNESS_LEVELS)[number];

/**
 * Why a position is not fresh, in the order of their numbers in the contract; `none` when it is, or when nobody knows.
 * `mock_location` and `approximate_location` are doubts about a fresh one.
 */
export const FRESHNESS_REASONS = [
  "none",
  "no_driver",
  "no_position_yet",
  "no_signal",
  "location_off",
  "no_permission",
  "airplane_mode",
  "battery_empty",
  "disconnected",
  "catching_up",
  "service",
  "mock_location",
  "background",
  "approximate_location",
] as const;
export type FreshnessReason = (typeof FRESHNESS_REASONS)[number];

/** What freshness is judged from. Times are server time, milliseconds since 1970. */
export type FreshnessInput = {
  nowMs: number;
  hasDriver: boolean;
  /** The newest position; undefined before the first. */
  position: { capturedAtMs: number; receivedAtMs: number } | undefined;
  device: DeviceStatus | undefined;
  /** True when this node knows that its own sources are away, so that silence says nothing about the device. */
  serviceTrouble?: boolean;
};

/** @property sinceMs time of the position spoken of; 0 when there is none
 *  @property changesAtMs when the answer changes by time alone; Infinity for never */
export type FreshnessNow = {
  freshness: FreshnessLevel;
  reason: FreshnessReason;
  sinceMs: number;
  changesAtMs: number;
};

type FreshnessLimits = Pick<Limits, "delayedAfterMs" | "staleAfterMs" | "lostAfterMs">;

/** Battery at or below this when last heard: the device has most likely died. */
const EMPTY_BATTERY_PERCENT = 3;

/**
 * How fresh a position is and why not fresher: its age by capture time against the limits, the reason from what the
 * device last said. Positions that keep arriving and are old all the same mean a device that catches up; a connection that broke
 * without a word means no signal. A fresh position has a reason only where it is not to be trusted.
 */
export function freshnessOf(input: FreshnessInput, limits: FreshnessLimits): FreshnessNow {
  const { nowMs, position, hasDriver } = input;
  if (!hasDriver) return { freshness: "none", reason: "no_driver", sinceMs: 0, changesAtMs: Infinity };
  if (!position) {
    const reason = input.serviceTrouble ? "service" : (deviceReason(input) ?? "no_position_yet");
    return { freshness: "none", reason, sinceMs: 0, changesAtMs: Infinity };
  }

  const { capturedAtMs, receivedAtMs } = position;
  const delayedAtMs = capturedAtMs + limits.delayedAfterMs;
  const staleAtMs = capturedAtMs + limits.staleAfterMs;
  const lostAtMs = capturedAtMs + limits.lostAfterMs;
  if (nowMs < delayedAtMs) {
    const reason = doubtOf(input.device) ?? "none";
    return { freshness: "live", reason, sinceMs: capturedAtMs, changesAtMs: delayedAtMs };
  }

  const silentAtMs = receivedAtMs + limits.delayedAfterMs;
  const catchingUp = nowMs < silentAtMs && receivedAtMs >= delayedAtMs;
  const reason = input.serviceTrouble
    ? "service"
    : catchingUp
      ? "catching_up"
      : (deviceReason(input) ?? "no_signal");
  const ageChangesAtMs = nowMs < staleAtMs ? staleAtMs : nowMs < lostAtMs ? lostAtMs : Infinity;
  return {
    freshness: nowMs < staleAtMs ? "delayed" : nowMs < lostAtMs ? "stale" : "lost",
    reason,
    sinceMs: capturedAtMs,
    changesAtMs: reason === "catching_up" ? Math.min(ageChangesAtMs, silentAtMs) : ageChangesAtMs,
  };
}

/** What the device last said of itself that explains a silence, the most certain first. */
function deviceReason({ device }: FreshnessInput): FreshnessReason | undefined {
  if (!device) return undefined;
  const { state } = device;
  if (state.gpsEnabled === false) return "location_off";
  if (state.locationPermission === "denied") return "no_permission";
  if (state.airplaneMode) return "airplane_mode";
  if ((state.batteryPercent ?? 100) <= EMPTY_BATTERY_PERCENT && !state.charging) return "battery_empty";
  if (state.network === "none") return "no_signal";
  if (!device.connected && !device.lost) return "disconnected";
  if (isHeldBack(state)) return "background";
  return undefined;
}

/** True when the operating system keeps positions from an app that is not on screen. */
function isHeldBack({ background, locationPermission, powerSave }: DeviceState): boolean {
  return background === true && (locationPermission === "while_in_use" || powerSave === true);
}

/** What makes a fresh position doubtful. */
function doubtOf(device: DeviceStatus | undefined): FreshnessReason | undefined {
  if (!device) return undefined;
  if (device.mockFix || device.state.mockLocation) return "mock_location";
  return device.state.locationPermission === "approximate" ? "approximate_location" : undefined;
}
