import { readFile } from "node:fs/promises";
import { Redis } from "ioredis";
import { systemClock } from "../../internal/core/time.ts";
import { cellOf } from "../../internal/latest/cells.ts";
import type { Latest, LatestParty } from "../../internal/latest/latest.ts";
import { MemoryLatest } from "../../internal/latest/memory/memory-latest.ts";
import { openRedisLatest } from "../../internal/latest/redis/latest.ts";
import { connectRedis } from "../../internal/redis/link.ts";
import { startRedis } from "../../test/kit/engines/redis.ts";

/** An engine under measurement. */
export type Measured = AsyncDisposable & {
  version: string;
  latest: Latest;
  /**
   * Makes a run of the bare client ready, before the clock runs: the same updates, encoded. What is returned writes one
   * flush, comparing nothing.
   */
  bare(flushes: readonly LatestParty[][]): (flush: number) => Promise<void>;
  /** Parties that the bare client has stored. */
  bareCount(): Promise<number>;
};

const LIMITS = { partitions: 16, partyIdleMs: 172_800_000 };
/** Bytes of a record of the Redis engine before the party's key and the trip's id. */
const RECORD_BYTES = 81;
const RECORDS = "bare:records";

/** A Redis server of its own, by the test kit, configured as docker-compose.yml does. */
export async function realLatest(): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startRedis());
  const [host = "", port] = server.address.split(":");
  const node = { host, port: Number(port) };
  const link = stack.use(await connectRedis({ nodes: [node], cluster: false }));
  const latest = stack.use(
    await openRedisLatest({ link, region: "bench", limits: LIMITS, clock: systemClock }),
  );
  const bare = new Redis({ ...node, protocol: 2, lazyConnect: true });
  stack.defer(() => bare.disconnect());
  await bare.connect();
  const write = defineScript(bare, "writeBare", await readFile(new URL("bare.lua", import.meta.url), "utf8"));
  const parts = stack.move();
  return {
    version: server.version,
    latest,
    bare(flushes) {
      const prepared = flushes.map((parties) => Buffer.concat(parties.map(bareUpdate)));
      return async (flush) => void (await write(1, RECORDS, "bare:cell:", prepared[flush]!));
    },
    bareCount: () => bare.hlen(RECORDS),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** An update as bare.lua takes it. */
function bareUpdate({ partyKey, tripId, latDeg, lonDeg }: LatestParty): Buffer {
  const words = [partyKey, String(cellOf(latDeg, lonDeg)), String(lonDeg), String(latDeg)];
  const parts = words.map((word) => Buffer.from(word));
  parts.push(Buffer.alloc(RECORD_BYTES + partyKey.length + tripId.length, tripId));
  const lengths = Buffer.from(Uint16Array.from(parts, ({ length }) => length).buffer);
  return Buffer.concat([lengths, ...parts]);
}

type Script = (...args: (string | number | Buffer)[]) => Promise<unknown>;

/** A script as a function. */
function defineScript(client: Redis, name: string, lua: string): Script {
  client.defineCommand(name, { lua });
  return (client as unknown as Record<string, Script>)[name]!.bind(client);
}

/** The embedded latest state, beside a plain Map of the newest. */
export async function embeddedLatest(): Promise<Measured> {
  const newest = new Map<string, LatestParty>();
  return {
    version: process.versions.node,
    latest: new MemoryLatest(systemClock),
    bare: (flushes) => async (flush) => {
      for (const party of flushes[flush]!) newest.set(party.partyKey, party);
    },
    bareCount: async () => newest.size,
    [Symbol.asyncDispose]: async () => {},
  };
}
