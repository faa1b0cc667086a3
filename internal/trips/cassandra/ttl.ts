/** The largest TTL that Cassandra takes: 20 years. */
const MAX_TTL_S = 630_720_000;

/** Seconds after which what is written now leaves. */
export function ttlS(retentionMs: number): number {
  return Math.min(MAX_TTL_S, Math.ceil(retentionMs / 1_000));
}
