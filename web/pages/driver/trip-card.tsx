import { useState } from "preact/hooks";
import type { Trip } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { ActionOutcome, DriverAction } from "../../driver-client/actions.ts";
import type { Streets } from "../../map/nearest-street.ts";
import { Route } from "../rider/route.tsx";
import { nextActions, outcomeWords } from "./driver-words.ts";

type Props = {
  trip: Trip;
  streets: Streets | undefined;
  act(action: DriverAction): Promise<ActionOutcome>;
};

/** The trip with its stops, and what can be done next. */
export function TripCard({ trip, streets, act }: Props) {
  const [busy, setBusy] = useState<DriverAction>();
  const [problem, setProblem] = useState("");
  const run = async (action: DriverAction) => {
    setBusy(action);
    setProblem("");
    setProblem(outcomeWords(await act(action)));
    setBusy(undefined);
  };
  return (
    <section aria-label="Your trip" class="trip-card">
      <Route trip={trip} streets={streets} />
      <div class="actions">
        {nextActions(trip).map(({ action, label }, index) => (
          <button
            key={action}
            type="button"
            class={index === 0 ? "" : "is-quiet"}
            disabled={busy !== undefined}
            onClick={() => void run(action)}
          >
            {busy === action ? `${label}…` : label}
          </button>
        ))}
      </div>
      {problem !== "" && (
        <p role="alert" class="notice-problem">
          {problem}
        </p>
      )}
    </section>
  );
}
