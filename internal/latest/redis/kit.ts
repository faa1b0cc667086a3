import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import type { VirtualClock } from "../../core/virtual-clock.ts";
import { connectRedis } from "../../redis/link.ts";
import type { Latest } from "../latest.ts";
import { openRedisLatest } from "./latest.ts";

const LIMITS = { partitions: 4, partyIdleMs: 3_600_000 };

/** `host:port` taken apart. */
export function nodeAt(address: string): { host: string; port: number } {
  const [host = "", port] = address.split(":");
  return { host, port: Number(port) };
}

/** A region that no other test has. */
export function freshRegion(): string {
  return `t${randomBytes(7).toString("hex")}`;
}

/** Opens latest states, each in a region of its own, on one connection. Disposing removes what they wrote. */
export async function startRedisHarness(addresses: readonly string[], cluster = false) {
  const link = await connectRedis({ nodes: addresses.map(nodeAt), cluster });
  const regions: string[] = [];
  return {
    link,
    open(clock: VirtualClock, region = freshRegion(), writer?: string): Promise<Latest> {
      regions.push(region);
      return openRedisLatest({ link, region, limits: LIMITS, clock, ...(writer ? { writer } : {}) });
    },
    async [Symbol.asyncDispose]() {
      await link[Symbol.asyncDispose]();
      for (const address of cluster ? [] : addresses) await removeRegions(address, new Set(regions));
    },
  };
}

async function removeRegions(address: string, regions: ReadonlySet<string>): Promise<void> {
  const client = new Redis({ ...nodeAt(address), protocol: 2 });
  for await (const keys of client.scanStream({ match: "bimride:latest:*", count: 1_000 })) {
    const own = (keys as string[]).filter((key) => regions.has(/\{(\w+)\./.exec(key)?.[1] ?? ""));
    if (own.length > 0) await client.unlink(own);
  }
  client.disconnect();
}
