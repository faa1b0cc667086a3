import type { Viewport } from "../../../gen/bimride/tracking/v1/fleet_pb.ts";
import { BimrideError } from "../../core/errors.ts";
import type { Rect } from "../../core/geo.ts";

/**
 * The rectangle of a viewport. West above east crosses the 180th meridian.
 * @throws VIEWPORT_INVALID when a corner is missing, not a number or out of range, or south lies above north
 */
export function rectOf(viewport: Viewport | undefined): Rect {
  const { southWest, northEast } = viewport ?? {};
  if (!southWest || !northEast) throw invalid("viewport");
  const rect = {
    southDeg: southWest.latitudeDeg,
    westDeg: southWest.longitudeDeg,
    northDeg: northEast.latitudeDeg,
    eastDeg: northEast.longitudeDeg,
  };
  const { southDeg, westDeg, northDeg, eastDeg } = rect;
  if (!within(southDeg, 90) || !within(westDeg, 180)) throw invalid("viewport.south_west");
  if (!within(northDeg, 90) || !within(eastDeg, 180) || southDeg > northDeg)
    throw invalid("viewport.north_east");
  return rect;
}

/** False for NaN too. */
function within(value: number, bound: number): boolean {
  return Math.abs(value) <= bound;
}

function invalid(field: string): BimrideError {
  return new BimrideError("VIEWPORT_INVALID", undefined, { field });
}
