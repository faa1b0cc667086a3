import { useEffect, useRef, useState } from "preact/hooks";
import type { FleetMap } from "../../map/fleet-map.ts";
import type { Streets } from "../../map/nearest-street.ts";
import type { Fleet } from "./use-fleet.ts";

type Props = {
  fleet: Fleet;
  streets: Streets | undefined;
  styleUrl: string;
  onBroken(): void;
};

/** The middle of the demo city, where the map starts. */
const CENTER: [number, number] = [11.967, 57.702];
const isCalm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The overview map. A click on a car leads to its trip; the list beside it does the same without a mouse. */
export function FleetPane({ fleet, streets, styleUrl, onBroken }: Props) {
  const container = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<FleetMap>();
  const newest = useRef(fleet);
  newest.current = fleet;
  const ready = styleUrl !== "" || streets !== undefined;

  useEffect(() => {
    if (!ready || !container.current) return;
    let left = false;
    let made: FleetMap | undefined;
    void makeMap(container.current, styleUrl, streets, () => newest.current)
      .then((fleetMap) => {
        made = fleetMap;
        if (left) fleetMap.remove();
        else setMap(fleetMap);
      })
      .catch(onBroken);
    return () => {
      left = true;
      made?.remove();
    };
  }, [ready]);

  useEffect(() => {
    if (!map) return;
    let frame = 0;
    const step = () => {
      frame = requestAnimationFrame(step);
      const now = newest.current.serverNow();
      map.update(newest.current.all(), now);
      map.draw(now);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [map]);

  return (
    <div class="map-pane">
      <div class="map" ref={container} data-ready={map ? "yes" : "no"} />
    </div>
  );
}

async function makeMap(
  container: HTMLElement,
  styleUrl: string,
  streets: Streets | undefined,
  fleet: () => Fleet,
): Promise<FleetMap> {
  const [{ createBaseMap }, { FleetMap }] = await Promise.all([
    import("../../map/create-map.ts"),
    import("../../map/fleet-map.ts"),
  ]);
  const label = "Map of all cars";
  const base = await createBaseMap({ container, styleUrl, streets, center: CENTER, zoom: 12.4, label });
  if (matchMedia("(min-width: 760px)").matches)
    base.map.setPadding({ left: 420, top: 0, right: 0, bottom: 0 });
  const look = () => {
    const bounds = base.map.getBounds();
    fleet().look({
      southDeg: Math.max(-90, bounds.getSouth()),
      westDeg: bounds.getWest(),
      northDeg: Math.min(90, bounds.getNorth()),
      eastDeg: bounds.getEast(),
    });
  };
  base.map.on("moveend", look);
  look();
  return new FleetMap(base, isCalm, (tripId) => location.assign(`/trip/${tripId}`));
}
