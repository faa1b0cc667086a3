import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import type { Clock } from "../../core/time.ts";
import { nodeAt } from "../../redis/kit.ts";
import { connectRedis } from "../../redis/link.ts";
import type { Latest } from "../latest.ts";
import { openRedisLatest } from "./latest.ts";

/** What tests open a latest state with. */
export const TEST_LIMITS = { partitions: 4, partyIdleMs: 3_600_000 };

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
    open(clock: Clock, region = freshRegion()): Promise<Latest> {
      regions.push(region);
      return openRedisLatest({ link, region, limits: TEST_LIMITS, clock });
    },
    async [Symbol.asyncDispose]() {
      await link[Symbol.asyncDispose]();
      for (const address of cluster ? [] : addresses) await removeRegions(address, new Set(regions));
    },
  };
}

/** FLUSHALL, for servers that the test itself started. */
export async function emptyServer(address: string): Promise<void> {
  const client = new Redis({ ...nodeAt(address), protocol: 2 });
  await client.flushall();
  client.disconnect();
}

/** The server's keys with their expiries, -1 for none. */
export async function keysOf(address: string): Promise<{ key: string; ttlMs: number }[]> {
  const client = new Redis({ ...nodeAt(address), protocol: 2 });
  const keys = await client.keys("*");
  const ttls = await Promise.all(keys.map((key) => client.pttl(key)));
  client.disconnect();
  return keys.map((key, i) => ({ key, ttlMs: ttls[i]! }));
}

/** What the writers last said on the server, by key. */
export async function marksOn(address: string): Promise<number[]> {
  const client = new Redis({ ...nodeAt(address), protocol: 2 });
  const keys = (await client.keys("*:mark:*")).sort();
  const marks = await Promise.all(keys.map(async (key) => Number(await client.get(key))));
  client.disconnect();
  return marks;
}

async function removeRegions(address: string, regions: ReadonlySet<string>): Promise<void> {
  const client = new Redis({ ...nodeAt(address), protocol: 2 });
  for await (const keys of client.scanStream({ match: "bimride:latest:*", count: 1_000 })) {
    const own = (keys as string[]).filter((key) => regions.has(/\{(\w+)\./.exec(key)?.[1] ?? ""));
    if (own.length > 0) await client.unlink(own);
  }
  client.disconnect();
}
