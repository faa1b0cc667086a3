/** The largest TTL that Cassandra takes: 20 years. */
const MAX_TTL_S = 630_720_000;

/**
 * Seconds that a row lives on, so that it leaves `retentionMs` after the time of what it holds also when it is written
 * late or again. Not above 0: it is past that already.
 */
export function ttlS(atMs: number, nowMs: number, retentionMs: number): number {
  const ageMs = Math.max(0, nowMs - atMs);
  return Math.min(MAX_TTL_S, Math.ceil((retentionMs - ageMs) / 1_000));
}
