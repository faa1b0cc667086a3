import type { LatestParty } from "../latest/latest.ts";
import type { PartitionState } from "./state.ts";

/** Where everyone of the partition was last: what refills the latest store after a restart. */
export function latestParties(state: PartitionState): LatestParty[] {
  const parties: LatestParty[] = [];
  for (const { latest } of state.parties.values()) if (latest) parties.push(latest);
  return parties;
}
