import type { LatestParty } from "./latest.ts";

/** What orders the updates of a party. */
export type UpdateOrder = Pick<LatestParty, "sessionEpoch" | "seq">;

/** True when the first was sent before the second: an older session, or an earlier fix of the same. */
export function isOlder(a: UpdateOrder, b: UpdateOrder): boolean {
  return a.sessionEpoch < b.sessionEpoch || (a.sessionEpoch === b.sessionEpoch && a.seq < b.seq);
}
