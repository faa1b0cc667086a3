import { parsePartyKey } from "../../core/fix.ts";
import { partitionOf } from "../../core/ids.ts";

/**
 * The keys of one shard of a region. All have one hash tag, so that a script may use them together on a Redis Cluster:
 * there a region is cut into as many shards as its log has partitions, and a party's shard is its partition, so that
 * an owner's flush is one call; on a single server all is one shard.
 */
export type ShardKeys = {
  /** HASH partition → newest epoch of an owner; `since` → when the shard was last found empty (intact-since.lua). */
  fences: string;
  /** HASH party key → record or tombstone (party-record.ts). */
  parties: string;
  /** ZSET of party keys by receipt. */
  seen: string;
  /** ZSET of the cells that hold somebody, by number. */
  cells: string;
  /** ZSET of removed party keys by time of removal. */
  gone: string;
  /** ZSET of trip ids by the end of live access. */
  drops: string;
  /** Before a cell's number: ZSET of party keys as GEO keeps them. */
  cellPrefix: string;
  /** Before a trip's id: HASH of its version, live state and the trip itself. */
  tripPrefix: string;
  /** What this writer last said here (loss-watch.ts). */
  mark: string;
};

/** @param writer names this process among all writers */
export function shardKeys(region: string, shard: number, writer: string): ShardKeys {
  const base = `bimride:latest:{${region}.${shard}}:`;
  return {
    fences: `${base}fences`,
    parties: `${base}parties`,
    seen: `${base}seen`,
    cells: `${base}cells`,
    gone: `${base}gone`,
    drops: `${base}drops`,
    cellPrefix: `${base}cell:`,
    tripPrefix: `${base}trip:`,
    mark: `${base}mark:${writer}`,
  };
}

export function shardOfParty(partyKey: string, shards: number): number {
  return shards === 1 ? 0 : partitionOf(parsePartyKey(partyKey), shards);
}

/** Trips lie anywhere: their partition changes with their driver. */
export function shardOfTrip(tripId: string, shards: number): number {
  return shards === 1 ? 0 : partitionOf({ kind: "driver", id: tripId }, shards);
}
