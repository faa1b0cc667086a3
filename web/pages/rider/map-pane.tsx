import { useEffect, useRef, useState } from "preact/hooks";
import { Freshness } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Streets } from "../../map/nearest-street.ts";
import type { Insets, RiderMap } from "../../map/rider-map.ts";
import { placeName } from "../place-name.ts";
import { type FeedState, feedMarker } from "./feed-marker.ts";
import type { WatchedTrip } from "./use-trip.ts";

type Props = {
  watched: WatchedTrip;
  streets: Streets | undefined;
  styleUrl: string;
  onBroken(): void;
};

/** A phone shows the panel below the map, a wide screen beside it. */
const WIDE = "(min-width: 760px)";

function insets(): Insets {
  if (matchMedia(WIDE).matches) return { top: 110, right: 90, bottom: 70, left: 470 };
  return { top: 100, right: 64, bottom: 76, left: 64 };
}

/** With reduced motion the car steps once a second, without a glide. */
const CALM_STEP_MS = 1_000;

/** The map with the moving car. Everything it shows stands in the panel in words, too. */
export function MapPane({ watched, streets, styleUrl, onBroken }: Props) {
  const container = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const [map, setMap] = useState<RiderMap>();
  const newest = useRef(watched);
  newest.current = watched;
  const feed = useRef<FeedState>(undefined);
  const ready = styleUrl !== "" || streets !== undefined;
  const start = watched.state?.trip?.waypoints[0]?.position;

  useEffect(() => {
    if (!ready || !start || !container.current) return;
    let left = false;
    let made: RiderMap | undefined;
    const center: [number, number] = [start.longitudeDeg, start.latitudeDeg];
    void makeMap(container.current, styleUrl, streets, center, setFollowing)
      .then((riderMap) => {
        made = riderMap;
        if (left) riderMap.remove();
        else setMap(riderMap);
      })
      .catch(onBroken);
    return () => {
      left = true;
      made?.remove();
    };
  }, [ready, start === undefined]);

  useEffect(() => {
    if (!map) return;
    feed.current = undefined;
    return animate(() => {
      const { state, serverNow } = newest.current;
      if (!state?.trip) return;
      feed.current = feedMarker(feed.current, state, serverNow());
      const pose = feed.current.marker.sample(serverNow());
      if (feed.current.newTrip) map.showTrip(state.trip);
      map.showCar(pose, state.trail, state.freshness.freshness >= Freshness.STALE);
      map.showRiders(state.riders);
      map.frame(pose, feed.current.newTrip);
      if (container.current) container.current.dataset.mode = pose?.mode ?? "none";
    });
  }, [map]);

  return (
    <div class="map-pane">
      <div class="map" ref={container} data-ready={map ? "yes" : "no"} />
      {!following && (
        <button
          type="button"
          class="recenter"
          onClick={() => {
            setFollowing(true);
            map?.follow(feed.current?.marker.sample(newest.current.serverNow()));
          }}
        >
          Back to the car
        </button>
      )}
    </div>
  );
}

const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

async function makeMap(
  container: HTMLElement,
  styleUrl: string,
  streets: Streets | undefined,
  center: [number, number],
  onFollowing: (on: boolean) => void,
): Promise<RiderMap> {
  const [{ createBaseMap }, { RiderMap }] = await Promise.all([
    import("../../map/create-map.ts"),
    import("../../map/rider-map.ts"),
  ]);
  const base = await createBaseMap({
    container,
    styleUrl,
    streets,
    center,
    zoom: 14,
    label: "Map of your ride",
  });
  return new RiderMap(base, {
    insets,
    calm: isCalm,
    placeOf: (stop) => placeName(stop, streets),
    onFollowing,
  });
}

/** Calls back with every frame, or once a second with reduced motion; returns how to stop. */
function animate(draw: () => void): () => void {
  let frame = 0;
  let drawnAt = 0;
  const step = (now: number) => {
    frame = requestAnimationFrame(step);
    if (isCalm() && now - drawnAt < CALM_STEP_MS) return;
    drawnAt = now;
    draw();
  };
  frame = requestAnimationFrame(step);
  return () => cancelAnimationFrame(frame);
}
