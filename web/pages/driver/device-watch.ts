import { LocationPermission, NetworkKind } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import type { DeviceReport } from "../../driver-client/device.ts";

/** What some browsers have beyond the standard types. */
type Battery = EventTarget & { level: number; charging: boolean };
type Connection = { type?: string };
type Extras = { getBattery?(): Promise<Battery>; connection?: Connection };

/** Reports what the browser knows of its device, now and on every change. Returns how to stop. */
export function watchDevice(report: (report: DeviceReport) => void): () => void {
  const stopping = new AbortController();
  const { signal } = stopping;
  const extras = navigator as Navigator & Extras;
  const look = () =>
    report({
      background: document.visibilityState === "hidden",
      network: navigator.onLine ? networkKind(extras.connection?.type) : NetworkKind.NONE,
    });
  look();
  document.addEventListener("visibilitychange", look, { signal });
  addEventListener("online", look, { signal });
  addEventListener("offline", look, { signal });
  void watchBattery(extras, report, signal);
  void watchPermission(report, signal);
  return () => stopping.abort();
}

function networkKind(type: string | undefined): NetworkKind {
  if (type === "wifi") return NetworkKind.WIFI;
  return type === "cellular" ? NetworkKind.CELLULAR : NetworkKind.UNSPECIFIED;
}

async function watchBattery(extras: Extras, report: (report: DeviceReport) => void, signal: AbortSignal) {
  try {
    const battery = await extras.getBattery?.();
    if (!battery || signal.aborted) return;
    const look = () =>
      report({ batteryPercent: Math.round(battery.level * 100), charging: battery.charging });
    look();
    battery.addEventListener("levelchange", look, { signal });
    battery.addEventListener("chargingchange", look, { signal });
  } catch {
    // A browser that does not tell; the gateway takes that as not known.
  }
}

async function watchPermission(report: (report: DeviceReport) => void, signal: AbortSignal) {
  try {
    const status = await navigator.permissions.query({ name: "geolocation" });
    const look = () => report({ locationPermission: permissionOf(status.state) });
    if (signal.aborted) return;
    look();
    status.addEventListener("change", look, { signal });
  } catch {
    // The same.
  }
}

function permissionOf(state: PermissionState): LocationPermission {
  if (state === "denied") return LocationPermission.DENIED;
  return state === "granted" ? LocationPermission.WHILE_IN_USE : LocationPermission.UNSPECIFIED;
}
