/**
 * PORT: snapshots of projections: what lets a restart replay the tail of the log instead of all of it. Losing them only
 * lengthens the replay.
 *
 * Implementations must ensure that `load` gives the newest snapshot that was saved whole, or undefined: never a torn or
 * altered one (a checksum tells).
 */
export interface Snapshots {
  /** Replaces the snapshot of the name, e.g. `live-07`. */
  save(name: string, body: Uint8Array): Promise<void>;
  load(name: string): Promise<Uint8Array | undefined>;
}
