import { EARTH_RADIUS_M, haversineM, lonDelta, METRES_PER_DEGREE, type Rect } from "../core/geo.ts";

/**
 * Bits per axis of a cell: those of a geohash of six characters, about 0.6 km from south to north and 1.2 km × cos(lat)
 * from west to east. With 50,000 cars in a city a cell then holds a few dozen: a search of 1 km looks at about twice as
 * many cars as it finds, and a car changes its cell only every minute or so.
 */
export const CELL_BITS = 15;
const CELLS = 1 << CELL_BITS;
const RAD = Math.PI / 180;
/** Slack for rounding, in degrees: about a tenth of a millimetre. */
const SLACK_DEG = 1e-9;
/** The same in metres; distances near half the Earth's girth are true to a centimetre only. */
const SLACK_M = 0.5;

/** A cell as row × 2^15 + column: the bits of its geohash, not interleaved, so that neighbours are found by adding. */
export type Cell = number;

/** The cell of a point. Borders belong to the cell north and east of them, except at the pole and the 180th meridian. */
export function cellOf(latDeg: number, lonDeg: number): Cell {
  return rowOf(latDeg) * CELLS + columnOf(lonDeg);
}

/** Area of a cell at the latitude, square metres. */
export function cellAreaM2(latDeg: number): number {
  const heightM = (180 / CELLS) * METRES_PER_DEGREE;
  return 2 * heightM * heightM * Math.max(1e-3, Math.cos(latDeg * RAD));
}

/** Rows and columns of cells; `columns` count eastwards from `west` and may pass the 180th meridian. */
export type CellRange = { south: number; north: number; west: number; columns: number };

/** How many cells a range has. */
export function cellCount(range: CellRange): number {
  return (range.north - range.south + 1) * range.columns;
}

/** Calls back for each cell of the range. */
export function forEachCell(range: CellRange, callback: (cell: Cell) => void): void {
  for (let row = range.south; row <= range.north; row++)
    for (let i = 0; i < range.columns; i++) callback(row * CELLS + ((range.west + i) & (CELLS - 1)));
}

/** True for a cell of the range. */
export function isInRange(range: CellRange, cell: Cell): boolean {
  const row = cell >> CELL_BITS;
  return row >= range.south && row <= range.north && ((cell - range.west) & (CELLS - 1)) < range.columns;
}

/** No cell of the range has a smaller number. */
export function firstCell(range: CellRange): Cell {
  return range.south * CELLS;
}

/** No cell of the range has a larger number. */
export function lastCell(range: CellRange): Cell {
  return range.north * CELLS + CELLS - 1;
}

/**
 * Nothing in the cell is nearer to the point than this, metres. Along each of the cell's two meridians the distance to the
 * point falls until the foot of the perpendicular and rises after it, so that the nearest place is there or at a corner.
 */
export function cellDistanceM(cell: Cell, latDeg: number, lonDeg: number): number {
  const southDeg = ((cell >> CELL_BITS) / CELLS) * 180 - 90;
  const westDeg = ((cell & (CELLS - 1)) / CELLS) * 360 - 180;
  const northDeg = southDeg + 180 / CELLS;
  const eastDeg = westDeg + 360 / CELLS;
  const toMeridianM = (meridianDeg: number) => {
    const footRad = Math.atan2(
      Math.sin(latDeg * RAD),
      Math.cos(latDeg * RAD) * Math.cos((meridianDeg - lonDeg) * RAD),
    );
    const footDeg = Math.min(northDeg, Math.max(southDeg, footRad / RAD));
    const to = (placeDeg: number) => haversineM(latDeg, lonDeg, placeDeg, meridianDeg);
    return Math.min(to(footDeg), to(southDeg), to(northDeg));
  };
  const isBetween = Math.abs(lonDelta(lonDeg, (westDeg + eastDeg) / 2)) <= 180 / CELLS;
  const alongM = Math.max(southDeg - latDeg, latDeg - northDeg, 0) * METRES_PER_DEGREE;
  const nearestM = isBetween ? alongM : Math.min(toMeridianM(westDeg), toMeridianM(eastDeg));
  return Math.max(0, nearestM - SLACK_M);
}

/** The cells that a rectangle touches. */
export function cellsOfRect(rect: Rect): CellRange {
  const rows = { south: rowOf(rect.southDeg), north: rowOf(rect.northDeg) };
  const west = columnOf(rect.westDeg);
  const east = columnOf(rect.eastDeg);
  if (rect.westDeg <= rect.eastDeg) return { ...rows, west, columns: east - west + 1 };
  return { ...rows, west, columns: Math.min(CELLS, CELLS - west + east + 1) };
}

/**
 * The cells that a circle on the sphere may touch. The widest parallel of the circle spans asin(sin(r) / cos(lat)) of
 * longitude to either side (J. P. Matuschek, "Finding points within a distance of a latitude/longitude"); a circle round
 * a pole has all longitudes.
 */
export function cellsOfCircle(latDeg: number, lonDeg: number, radiusM: number): CellRange {
  const angle = Math.min(Math.PI, radiusM / EARTH_RADIUS_M);
  const spanDeg = angle / RAD + SLACK_DEG;
  const south = rowOf(Math.max(-90, latDeg - spanDeg));
  const north = rowOf(Math.min(90, latDeg + spanDeg));
  if (latDeg - spanDeg <= -90 || latDeg + spanDeg >= 90) return { south, north, west: 0, columns: CELLS };
  const widthDeg = Math.asin(Math.min(1, Math.sin(angle) / Math.cos(latDeg * RAD))) / RAD + SLACK_DEG;
  const west = Math.floor(((lonDeg - widthDeg + 180) / 360) * CELLS);
  const east = Math.floor(((lonDeg + widthDeg + 180) / 360) * CELLS);
  return { south, north, west: west & (CELLS - 1), columns: Math.min(CELLS, east - west + 1) };
}

function rowOf(latDeg: number): number {
  return clamp(Math.floor(((latDeg + 90) / 180) * CELLS));
}

function columnOf(lonDeg: number): number {
  return clamp(Math.floor(((lonDeg + 180) / 360) * CELLS));
}

function clamp(index: number): number {
  return index < 0 ? 0 : index >= CELLS ? CELLS - 1 : index;
}
