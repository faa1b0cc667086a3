import { Freshness } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { TripState } from "../../client/watcher.ts";
import { freshnessLabel, freshnessSentence } from "../words.ts";

/** How far the picture can be trusted, with the reason. Empty while all is well: the moving car says it. */
export function FreshnessLine({ state }: { state: TripState }) {
  const { freshness } = state;
  const sentence = freshnessSentence(freshness, state.connection.transport === "offline");
  if (sentence === undefined) return null;
  const grave = freshness.freshness >= Freshness.STALE;
  return (
    <p class={`freshness ${grave ? "is-grave" : "is-mild"}`} data-freshness={freshness.freshness}>
      <strong>{freshnessLabel(freshness)}</strong>
      <span>{sentence}</span>
    </p>
  );
}
