import { useEffect, useRef, useState } from "preact/hooks";
import { canDrawMap } from "../../map/webgl.ts";
import type { PageSettings } from "../settings.ts";
import type { TokenSource } from "../token-source.ts";
import { isOver, phaseHeadline, problemWords } from "../words.ts";
import { announcement, NOTHING_SAID } from "./announcements.ts";
import { ConnectionChip } from "./connection-chip.tsx";
import { FreshnessLine } from "./freshness-line.tsx";
import { InWords } from "./in-words.tsx";
import { MapPane } from "./map-pane.tsx";
import { Notice } from "./notice.tsx";
import { Route } from "./route.tsx";
import { SharePlace } from "./share-place.tsx";
import { useStreets } from "./use-streets.ts";
import { useTrip } from "./use-trip.ts";

type Props = { tripId: string; settings: PageSettings; token: TokenSource };

/** A watched trip: the panel with everything in words, and the map where one can be drawn. */
export function TripView({ tripId, settings, token }: Props) {
  const watched = useTrip(tripId, settings, token);
  const { state } = watched;
  const streets = useStreets(settings.styleUrl);
  const [map, setMap] = useState<"on" | "off">(() => (canDrawMap() ? "on" : "off"));
  const spoken = useSpoken(state);

  if (watched.unknown) return <Notice {...problemWords("NOT_FOUND")} back />;
  if (state?.problem && !state.problem.retryable && !state.trip)
    return <Notice {...problemWords(state.problem.code)} back />;

  const trip = state?.trip;
  const ended = state?.problem && !state.problem.retryable ? problemWords(state.problem.code) : undefined;
  return (
    <div class={`trip ${map === "off" ? "is-text" : ""}`} data-version={versionText(watched)}>
      <main class="panel" aria-label="Your ride">
        <header class="panel-head">
          <a class="brand" href="/" aria-label="Bimride, all running trips">
            Bimride
          </a>
          {state && <ConnectionChip connection={state.connection} />}
        </header>
        <h1>{trip ? phaseHeadline(trip) : "Finding your ride…"}</h1>
        {state && trip && !isOver(trip) && !ended && <FreshnessLine state={state} />}
        {ended && <p class="lead">{`${ended.title}. ${ended.text}`}</p>}
        {trip?.cancelReason && <p class="lead">{trip.cancelReason}</p>}
        {trip && !ended && <SharePlace trip={trip} token={token} />}
        {trip && <Route trip={trip} streets={streets} />}
        {state && trip && <InWords state={state} streets={streets} open={map === "off"} />}
        {map === "off" && (
          <p class="hint">This browser can't draw the map, so here is everything in words.</p>
        )}
      </main>
      {map === "on" && (
        <MapPane
          watched={watched}
          streets={streets}
          styleUrl={settings.styleUrl}
          onBroken={() => setMap("off")}
        />
      )}
      <div class="visually-hidden" role="status" aria-live="polite">
        {spoken}
      </div>
    </div>
  );
}

/** For tests and support: the version on the screen. */
function versionText({ state }: ReturnType<typeof useTrip>): string {
  const version = state?.version;
  return version ? `${version.generation}.${version.sequence}.${version.index}` : "";
}

/** Pause between two announcements, so that one can be heard before the next. */
const SPEAK_EVERY_MS = 5_000;

/** The text of the live region: changes of note only, never more often than one can listen. */
function useSpoken(state: ReturnType<typeof useTrip>["state"]): string {
  const [text, setText] = useState("");
  const said = useRef(NOTHING_SAID);
  const newest = useRef(state);
  newest.current = state;
  useEffect(() => {
    const speak = () => {
      if (!newest.current) return;
      const next = announcement(said.current, newest.current);
      said.current = next.said;
      if (next.text !== "") setText(next.text);
    };
    const timer = setInterval(speak, SPEAK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return text;
}
