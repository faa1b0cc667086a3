/**
 * Chooses the region of a place.
 * @param lastRegion the party's region so far, which it keeps near a border; empty when it has none
 */
export type RegionOf = (latDeg: number, lonDeg: number, lastRegion: string) => string;
