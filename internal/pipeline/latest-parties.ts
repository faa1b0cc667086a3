import type { LatestParty } from "../latest/latest.ts";
import { type PartitionState, partiesOf } from "./state.ts";

/** Where everyone of the partition was last: what refills the latest store after a restart. */
export function latestParties(state: PartitionState): LatestParty[] {
  const parties: LatestParty[] = [];
  for (const { latest } of partiesOf(state)) if (latest) parties.push(latest);
  return parties;
}
