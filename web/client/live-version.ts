import type { Version } from "../../gen/bimride/tracking/v1/live_pb.ts";

/** The three numbers of a live version, as they come in messages. */
export type LiveVersion = Pick<Version, "generation" | "sequence" | "index">;

/** Negative when a is older than b, 0 when equal, positive when newer: generation, then sequence, then index. */
export function compareLiveVersions(a: LiveVersion, b: LiveVersion): number {
  if (a.generation !== b.generation) return a.generation - b.generation;
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;
  return a.index - b.index;
}

/** True when `next` is strictly newer than `current`; anything is newer than nothing. */
export function isNewer(next: LiveVersion, current: LiveVersion | undefined): boolean {
  return current === undefined || compareLiveVersions(next, current) > 0;
}

/** The version as text, `generation.sequence.index`. */
export function formatLiveVersion(version: LiveVersion): string {
  return `${version.generation}.${version.sequence}.${version.index}`;
}
