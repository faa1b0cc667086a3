import { useEffect, useRef, useState } from "preact/hooks";
import type { Position } from "../../driver-client/position.ts";
import type { Streets } from "../../map/nearest-street.ts";
import type { OwnMap } from "../../map/own-map.ts";

type Props = {
  position: Position | undefined;
  streets: Streets | undefined;
  styleUrl: string;
  onBroken(): void;
};

/** Where nothing is known yet: the middle of the demo city. */
const CENTER: [number, number] = [11.967, 57.702];

/** The map of a driver without a trip. */
export function OwnPane({ position, streets, styleUrl, onBroken }: Props) {
  const container = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<OwnMap>();
  const ready = styleUrl !== "" || streets !== undefined;
  useEffect(() => {
    if (!ready || !container.current) return;
    let left = false;
    let made: OwnMap | undefined;
    void makeMap(container.current, styleUrl, streets)
      .then((ownMap) => {
        made = ownMap;
        if (left) ownMap.remove();
        else setMap(ownMap);
      })
      .catch(onBroken);
    return () => {
      left = true;
      made?.remove();
    };
  }, [ready]);
  useEffect(() => {
    if (map && position) map.show(position);
  }, [map, position]);
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
): Promise<OwnMap> {
  const [{ createBaseMap }, { OwnMap }] = await Promise.all([
    import("../../map/create-map.ts"),
    import("../../map/own-map.ts"),
  ]);
  const label = "Map with your position";
  return new OwnMap(await createBaseMap({ container, styleUrl, streets, center: CENTER, zoom: 15, label }));
}
