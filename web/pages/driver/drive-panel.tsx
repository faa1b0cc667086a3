import { useState } from "preact/hooks";
import type { DriverConnection } from "../../driver-client/connection.ts";
import type { Driver } from "../../driver-client/driver.ts";
import type { DriverState } from "../../driver-client/driver-state.ts";
import type { Streets } from "../../map/nearest-street.ts";
import { driverHeadline, endedWords, locatingProblem, rateWords, unsentWords } from "./driver-words.ts";
import type { DriveState } from "./driving.ts";
import { TripCard } from "./trip-card.tsx";

type Props = {
  state: DriveState;
  driver: Driver;
  streets: Streets | undefined;
  /** Asks for a trip of one's own; undefined where there is none to be had. */
  giveTrip: (() => Promise<void>) | undefined;
  onStop(): void;
};

/** Everything about the drive in words, with its buttons. */
export function DrivePanel({ state, driver, streets, giveTrip, onStop }: Props) {
  const said = state.driver!;
  const { trip } = said.assignment ?? {};
  const isOver = said.superseded !== undefined;
  const problem = isOver ? undefined : locatingProblem(state.locating);
  const ended = endedWords(said.assignment);
  return (
    <main class="panel" aria-label="Your drive">
      <header class="panel-head">
        <a class="brand" href="/" aria-label="Bimride, all running trips">
          Bimride
        </a>
        <DriverChip connection={said.connection} />
      </header>
      <h1>{isOver ? "Another phone took over" : driverHeadline(said.assignment)}</h1>
      {isOver && <TakeOver state={said} driver={driver} />}
      {problem && (
        <div class="freshness is-mild" role="alert">
          <strong>{problem.title}</strong>
          <span>{problem.text}</span>
        </div>
      )}
      {ended !== "" && <p class="lead">{ended}</p>}
      {trip && !isOver && <TripCard trip={trip} streets={streets} act={(action) => driver.act(action)} />}
      {giveTrip && !isOver && <GiveTrip ask={giveTrip} />}
      <Facts state={state} said={said} />
      <button type="button" class="is-quiet" onClick={onStop}>
        Stop driving
      </button>
    </main>
  );
}

function DriverChip({ connection: { reason, text, transport } }: { connection: DriverConnection }) {
  const kind = transport === undefined ? "is-off" : reason === "fallback" ? "is-slow" : "is-live";
  return (
    <p class={`chip ${kind}`} role="status" data-reason={reason}>
      <span class="dot" aria-hidden="true" />
      {text}
    </p>
  );
}

function Facts({ state, said }: { state: DriveState; said: DriverState }) {
  const accuracyM = state.position?.accuracyM;
  return (
    <dl class="facts">
      <div>
        <dt>Positions</dt>
        <dd data-unsent={said.unsent} data-settled={said.settled}>
          {unsentWords(said)}
          {said.dropped > 0 && `, ${said.dropped} lost because too many waited`}
        </dd>
      </div>
      <div>
        <dt>Wanted</dt>
        <dd>{rateWords(said.wantedRate)}</dd>
      </div>
      {accuracyM !== undefined && (
        <div>
          <dt>Accuracy</dt>
          <dd>{`about ${Math.round(accuracyM)} m`}</dd>
        </div>
      )}
      <div>
        <dt>Screen</dt>
        <dd>{state.isScreenOn ? "stays on" : "keep it on yourself, else positions stop"}</dd>
      </div>
      {!said.isPersistent && (
        <div>
          <dt>Memory</dt>
          <dd>this browser keeps nothing: what waits is lost when you close the page</dd>
        </div>
      )}
    </dl>
  );
}

function TakeOver({ state, driver }: { state: DriverState; driver: Driver }) {
  const [refused, setRefused] = useState(false);
  const waitMs = (state.superseded?.takeOverAfterMs ?? 0) - Date.now();
  return (
    <>
      <p class="lead">
        {state.connection.reason === "revoked"
          ? "Somebody signed this phone out. Positions that were waiting here are not taken any more."
          : "Your car is shown where that phone is. Positions that were waiting here still go into the record."}
      </p>
      <button type="button" onClick={() => setRefused(!driver.takeOver())}>
        Use this phone
      </button>
      {refused && (
        <p role="alert" class="notice-problem">
          {`Both phones insist. Try again in ${Math.max(1, Math.ceil(waitMs / 1_000))} seconds.`}
        </p>
      )}
    </>
  );
}

function GiveTrip({ ask }: { ask: () => Promise<void> }) {
  const [phase, setPhase] = useState<"" | "asking" | "failed">("");
  return (
    <>
      <button
        type="button"
        disabled={phase === "asking"}
        onClick={() => {
          setPhase("asking");
          ask().then(
            () => setPhase(""),
            () => setPhase("failed"),
          );
        }}
      >
        Give me a trip
      </button>
      {phase === "failed" && (
        <p role="alert" class="notice-problem">
          There was no trip to be had. Try again.
        </p>
      )}
    </>
  );
}
