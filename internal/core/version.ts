/**
 * The version of what a viewer of a trip sees. It only grows, and it comes from the log: any owner of a partition
 * computes the same one, so whoever reads drops what it has seen.
 */
export type Version = {
  /** Rises when the trip's driver or region changes (its inputs then come from another partition). */
  generation: number;
  /** Sequence of the log entry that caused the change. */
  sequence: number;
  /** Number of the change among those of the same log entry. */
  index: number;
};

export const ZERO_VERSION: Version = Object.freeze({ generation: 0, sequence: 0, index: 0 });

/** Negative when a is older than b, 0 when equal, positive when newer. */
export function compareVersions(a: Version, b: Version): number {
  return a.generation - b.generation || a.sequence - b.sequence || a.index - b.index;
}

/** The version as text, `generation.sequence.index`: ETags, CSV columns, logs. */
export function formatVersion(version: Version): string {
  return `${version.generation}.${version.sequence}.${version.index}`;
}

/** Inverse of {@link formatVersion}; undefined for anything else. */
export function parseVersion(text: string): Version | undefined {
  const match = /^(\d{1,10})\.(\d{1,15})\.(\d{1,10})$/.exec(text);
  return match
    ? { generation: Number(match[1]), sequence: Number(match[2]), index: Number(match[3]) }
    : undefined;
}
