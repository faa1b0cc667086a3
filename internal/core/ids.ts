import { type Party, partyKey } from "./fix.ts";

/** Party, user and device ids: what callers choose. */
export const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
/** Session ids: random, made by the client, kept with its offline buffer. */
export const SESSION_ID_PATTERN = /^[A-Za-z0-9_-]{8,64}$/;
/** Region names: part of subjects, file names and trip ids. */
export const REGION_PATTERN = /^[a-z0-9]{1,16}$/;
/** Keyspaces in Cassandra, but for its own: `system` and all that begin with `system_`. */
export const KEYSPACE_PATTERN = /^(?!system(?:_|$))[a-z][a-z0-9_]{0,47}$/;
export const TRIP_ID_PATTERN = /^[a-z0-9]{1,16}-[0-9a-hjkmnp-tv-z]{26}$/;

/** Crockford's base 32: no i, l, o, u. */
const BASE32 = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * A new trip id: the region of its pickup, then 48 bits of time and 80 random bits as in ULID, so that ids of a
 * region sort by creation and any node finds a trip's region from its id alone.
 * @param random80 ten random bytes
 */
export function newTripId(region: string, nowMs: number, random80: Uint8Array): string {
  let value = (BigInt(Math.floor(nowMs)) << 80n) | BigInt(`0x${Buffer.from(random80).toString("hex")}`);
  let text = "";
  for (let i = 0; i < 26; i++) {
    text = BASE32[Number(value & 31n)] + text;
    value >>= 5n;
  }
  return `${region}-${text}`;
}

/** The region a trip id names. Throws a RangeError when it is not a trip id. */
export function regionOfTrip(tripId: string): string {
  if (!TRIP_ID_PATTERN.test(tripId)) throw new RangeError("not a trip id");
  return tripId.slice(0, tripId.indexOf("-"));
}

/**
 * The partition of a party: FNV-1a over the UTF-16 units of its key, finished as in MurmurHash3 so that low bits are
 * well mixed. Fixed for ever: a change would tear parties away from their history in the log.
 */
export function partitionOf(party: Party, partitions: number): number {
  const key = partyKey(party);
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}
