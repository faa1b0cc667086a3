import type { Fix } from "../internal/core/fix.ts";
import type { ClientTrust } from "../internal/core/tls.ts";
import { deviceClock } from "../web/client/watch-clock.ts";
import { type Driver, startDriver } from "../web/driver-client/driver.ts";
import { grpcTransport } from "../web/driver-client/grpc/grpc.ts";
import { locateGatewaysAt } from "../web/driver-client/locate.ts";
import { memoryStore } from "../web/driver-client/stores/memory-store.ts";
import { channelOptions, channelTrust } from "./client-trust.ts";
import { trustingFetch } from "./trusting-fetch.ts";

/** Fixes a simulated phone keeps while nothing is acked. */
const MAX_KEPT = 5_000;

export type DriverPhoneOptions = {
  driverId: string;
  /** host:port of a gateway; with `locate` the one to fall back to. */
  grpcAddress: string;
  /** Origin of any node: with `locate` it is asked which gateway to use. */
  httpUrl: string;
  locate?: boolean;
  /** What to believe of a server with TLS, asked anew for each connection; absent without TLS. */
  trust?: (() => ClientTrust) | undefined;
  token(): Promise<string>;
  /** The phone's own clock, which may be wrong. */
  now(): number;
  /** 0 up to, not including, 1. */
  random(): number;
};

/** A simulated phone with the driver app on it: the driver library over gRPC, which starts with the first fix. */
export type DriverPhone = {
  /** Fixes in the order of capture. */
  capture(fixes: readonly Fix[]): void;
  setOnline(online: boolean): void;
  /** Fixes that are durable or were refused for good. */
  readonly acked: number;
  stop(): Promise<void>;
};

/** Makes a phone; nothing happens before it captures something. */
export function driverPhone(options: DriverPhoneOptions): DriverPhone {
  const { driverId, grpcAddress, httpUrl, locate, trust, token, now, random } = options;
  let driver: Driver | undefined;
  let starting: Promise<void> | undefined;
  let waiting: Fix[] = [];
  let isOnline = true;
  const transportTo = (address: string) => {
    const believed = trust?.();
    return grpcTransport(address, channelTrust(believed), channelOptions(believed));
  };
  const start = async () => {
    driver = await startDriver({
      ...{ baseUrl: httpUrl, token, random, deviceId: driverId, maxFixes: MAX_KEPT },
      store: memoryStore(),
      clock: { ...deviceClock, now },
      transportsTo: ({ grpcAddress: named }) => [transportTo(named || grpcAddress)],
      ...(locate ? { locate: locateGatewaysAt(httpUrl, trust && trustingFetch(trust)) } : {}),
    });
    driver.setOnline(isOnline);
    for (const fix of waiting.splice(0)) driver.record(fix);
  };
  return {
    capture(fixes) {
      if (driver) for (const fix of fixes) driver.record(fix);
      else if (fixes.length > 0) {
        waiting.push(...fixes);
        starting ??= start();
      }
    },
    setOnline(online) {
      isOnline = online;
      driver?.setOnline(online);
    },
    get acked() {
      return driver?.state.settled ?? 0;
    },
    async stop() {
      await starting;
      await driver?.stop();
      waiting = [];
    },
  };
}
