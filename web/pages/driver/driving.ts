import { type Driver, startDriver } from "../../driver-client/driver.ts";
import type { DriverState } from "../../driver-client/driver-state.ts";
import type { FixStore } from "../../driver-client/fix-store.ts";
import type { Position } from "../../driver-client/position.ts";
import { openIndexedDbStore } from "../../driver-client/stores/indexed-db-store.ts";
import { memoryStore } from "../../driver-client/stores/memory-store.ts";
import type { TokenSource } from "../token-source.ts";
import { watchDevice } from "./device-watch.ts";
import { type LocatingState, startLocating } from "./locating.ts";
import { keepScreenOn } from "./wake-lock.ts";

/** Everything that the page shows of a drive. */
export type DriveState = {
  driver: DriverState | undefined;
  locating: LocatingState;
  position: Position | undefined;
  isScreenOn: boolean;
  /** Another tab of this browser drives already. */
  isElsewhere: boolean;
};

export const BEFORE_DRIVE: DriveState = {
  driver: undefined,
  locating: "starting",
  position: undefined,
  isScreenOn: false,
  isElsewhere: false,
};

/** A drive under way. */
export type Drive = { driver: Driver; stop(): Promise<void> };

/** The server's answers, where one is awaited first: whose token it is names the buffer. Rejects when there is no token. */
export async function startDrive(
  token: TokenSource,
  onChange: (change: Partial<DriveState>) => void,
): Promise<Drive | undefined> {
  const first = await token();
  const name = `bimride-driver-${subjectOf(first)}`;
  const leave = await takeTurn(name);
  if (!leave) {
    onChange({ isElsewhere: true });
    return undefined;
  }
  let unused: string | undefined = first;
  const driver = await startDriver({
    baseUrl: location.origin,
    store: await openStore(name),
    deviceId: "browser",
    appVersion: "driver-page",
    async token() {
      const given = unused ?? (await token());
      unused = undefined;
      return given;
    },
  });
  return { driver, stop: follow(driver, onChange, leave) };
}

/** Feeds the driver from the device until the returned function is called. */
function follow(driver: Driver, onChange: (change: Partial<DriveState>) => void, leave: () => void) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const locating = startLocating(
    driver.state.wantedRate,
    (position) => {
      onChange({ position });
      driver.offer(position);
    },
    (state) => onChange({ locating: state }),
  );
  const stopDevice = watchDevice((report) => driver.reportDevice(report));
  const stopScreen = keepScreenOn((isScreenOn) => onChange({ isScreenOn }));
  let rate = driver.state.wantedRate;
  const unsubscribe = driver.subscribe((state) => {
    if (state.wantedRate !== rate) locating.setRate(state.wantedRate);
    rate = state.wantedRate;
    onChange({ driver: state });
  });
  driver.setOnline(navigator.onLine);
  addEventListener("online", () => driver.setOnline(true), { signal });
  addEventListener("offline", () => driver.setOnline(false), { signal });
  const seen = () => {
    if (document.visibilityState === "visible") driver.wake();
  };
  document.addEventListener("visibilitychange", seen, { signal });
  return async () => {
    stopping.abort();
    locating.stop();
    stopDevice();
    stopScreen();
    unsubscribe();
    await driver.stop();
    leave();
  };
}

/** One tab at a time drives as one driver: two would send under the same session. Undefined when another one does. */
async function takeTurn(name: string): Promise<(() => void) | undefined> {
  // Where there are no locks two tabs are the person's own affair.
  if (!navigator.locks) return () => {};
  return new Promise((resolve) => {
    void navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(undefined);
      return new Promise<void>((release) => resolve(release));
    });
  });
}

async function openStore(name: string): Promise<FixStore> {
  try {
    return await openIndexedDbStore(name);
  } catch {
    // The page says that positions would not outlive it.
    return { ...memoryStore(), load: () => Promise.reject(new Error("no IndexedDB")) };
  }
}

/** Whose token it is, as it says itself; nothing is verified, it only tells buffers apart. */
function subjectOf(token: string): string {
  try {
    const claims: { sub?: unknown } = JSON.parse(
      atob((token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/")),
    );
    return typeof claims.sub === "string" ? claims.sub : "unknown";
  } catch {
    return "unknown";
  }
}
