import { inject } from "vitest";
import type { EngineName } from "./engine.ts";

/** What became of one shared engine: where it is, or why there is none. Neither when no test at hand needs it. */
export type SharedEngine = { readonly address?: string; readonly missing?: string };

declare module "vitest" {
  interface ProvidedContext {
    engines: Readonly<Record<EngineName, SharedEngine>>;
  }
}

/** Stands for an engine that is not there: the suites that would use it are skipped, so nobody connects to it. */
const NOWHERE = "engine-missing.invalid:1";

/**
 * Addresses (host:port) of the engines that the vitest project "engines" shares, started once for a run. Others use
 * them at the same time: take a namespace of your own in them, and remove it at the end. Whoever kills, empties or
 * reconfigures an engine starts one of their own.
 */
export function sharedEngines(): Record<EngineName, string> {
  const { nats, redis, cassandra } = inject("engines");
  return {
    nats: nats.address ?? NOWHERE,
    redis: redis.address ?? NOWHERE,
    cassandra: cassandra.address ?? NOWHERE,
  };
}
