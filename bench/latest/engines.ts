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
   * Makes a run of the bare client ready, before the clock runs: the same parties in the same cells with records of as
   * many bytes. What is returned writes one flush.
   */
  bare(flushes: readonly LatestParty[][]): (flush: number) => Promise<void>;
  /** Parties that the bare client has stored. */
  bareCount(): Promise<number>;
};

const LIMITS = { partitions: 16, partyIdleMs: 172_800_000 };
/** Bytes of a record of the Redis engine before the party's key and the trip's id. */
const RECORD_BYTES = 73;
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
  const parts = stack.move();
  return {
    version: server.version,
    latest,
    bare(flushes) {
      const prepared = flushes.map((parties) => ({
        cells: [...Map.groupBy(parties, ({ latDeg, lonDeg }) => cellOf(latDeg, lonDeg))].map(
          ([cell, inIt]) => [
            `bare:cell:${cell}`,
            ...inIt.flatMap(({ lonDeg, latDeg, partyKey }) => [lonDeg, latDeg, partyKey]),
          ],
        ),
        records: parties.flatMap((party) => [party.partyKey, recordOf(party)]),
      }));
      return async (flush) => {
        const { cells, records } = prepared[flush]!;
        const pipeline = bare.pipeline();
        for (const places of cells) pipeline.call("GEOADD", ...(places as [string, ...string[]]));
        pipeline.call("HSET", RECORDS, ...records);
        await pipeline.exec();
      };
    },
    bareCount: () => bare.hlen(RECORDS),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function recordOf({ partyKey, tripId, latDeg, seq }: LatestParty): Buffer {
  const record = Buffer.alloc(RECORD_BYTES + partyKey.length + tripId.length);
  record.writeDoubleLE(latDeg, 0);
  record.writeDoubleLE(seq, 8);
  return record;
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
