import { haversineM, type Rect, rectContains } from "../../core/geo.ts";
import type { RedisLink } from "../../redis/link.ts";
import {
  type Cell,
  type CellRange,
  cellCount,
  cellDistanceM,
  cellsOfCircle,
  cellsOfRect,
  firstCell,
  forEachCell,
  isInRange,
  lastCell,
} from "../cells.ts";
import type { LatestParty } from "../latest.ts";
import { coarseErrorM } from "./geo-score.ts";
import type { ShardKeys } from "./keys.ts";
import { decodeParty } from "./party-record.ts";
import type { Scripts } from "./scripts.ts";

/** Redis's GEO has no places nearer to a pole and does not look across the 180th meridian: searches within these cells only. */
const GEO_CELLS = cellsOfRect({ southDeg: -85, northDeg: 85, westDeg: -180, eastDeg: 180 });
/** Searches this far from their point leave the distances to us. */
const GEO_MAX_RADIUS_M = 100_000;
/** GEO's Earth is larger than ours by less than this. */
const GEO_SCALE = 1.0003;
/** What else a distance by GEO may be off by. */
const GEO_SLACK_M = 1.5;
/** More than what GEO_MAX_RADIUS_M spans. */
const GEO_REACH_DEG = 1;
/** Ranges of more cells are looked at through the list of the occupied ones. */
const MAX_CELLS_BY_NUMBER = 512;
/** Cells in one call of a script. */
const CELLS_PER_CALL = 256;
/** Occupied cells in one answer. */
const CELLS_PER_PAGE = 10_000;

export type Neighbour = LatestParty & { distanceM: number };
type Far = { cell: Cell; leastM: number };
type Circle = { latDeg: number; lonDeg: number; radiusM: number };
/** Reads records of some cells: all that are among the `limit` nearest, and perhaps others. */
type Fetch = (cells: readonly Far[], circle: Circle, limit: number) => Promise<Buffer[]>;

/** Searches in one shard. */
export class ShardSearch {
  readonly #link: RedisLink;
  readonly #keys: ShardKeys;
  readonly #scripts: Scripts;

  constructor(link: RedisLink, keys: ShardKeys, scripts: Scripts) {
    this.#link = link;
    this.#keys = keys;
    this.#scripts = scripts;
  }

  /** Parties in the rectangle, at most `limit`, any order. */
  async within(rect: Rect, limit: number): Promise<LatestParty[]> {
    const cells = await this.#cellsIn(cellsOfRect(rect));
    const found = new Map<string, LatestParty>();
    for (let at = 0; at < cells.length && found.size < limit; at += CELLS_PER_CALL)
      for (const party of decodeAll(await this.#read(cells.slice(at, at + CELLS_PER_CALL))))
        if (rectContains(rect, party.latDeg, party.lonDeg)) found.set(party.partyKey, party);
    const parties = [...found.values()];
    return parties.length > limit ? parties.slice(0, limit) : parties;
  }

  /** Parties in the circle, nearest first (ties by key), at most `limit`. */
  async nearby(latDeg: number, lonDeg: number, radiusM: number, limit: number): Promise<Neighbour[]> {
    const near = { latDeg, lonDeg, radiusM: Math.min(radiusM, GEO_MAX_RADIUS_M) };
    if (isGeo(near)) {
      const found = await this.#nearest(near, limit, this.#byGeo);
      if (found.length >= limit || radiusM <= GEO_MAX_RADIUS_M) return found;
    }
    const read: Fetch = (cells) => this.#read(cells.map(({ cell }) => cell));
    return this.#nearest({ latDeg, lonDeg, radiusM }, limit, read);
  }

  async #nearest(circle: Circle, limit: number, fetch: Fetch): Promise<Neighbour[]> {
    const { latDeg, lonDeg, radiusM } = circle;
    const numbers = await this.#cellsIn(cellsOfCircle(latDeg, lonDeg, radiusM));
    const cells = numbers
      .map((cell) => ({ cell, leastM: cellDistanceM(cell, latDeg, lonDeg) }))
      .filter(({ leastM }) => leastM <= radiusM)
      .sort((a, b) => a.leastM - b.leastM);
    let best: Neighbour[] = [];
    let reachM = radiusM;
    for (let at = 0; at < cells.length && cells[at]!.leastM <= reachM; at += CELLS_PER_CALL) {
      const some = cells.slice(at, at + CELLS_PER_CALL);
      const records = await fetch(some, { latDeg, lonDeg, radiusM: reachM }, limit);
      best = nearestOf(withNewer(best, neighbours(records, circle)), limit);
      if (best.length === limit) reachM = best.at(-1)!.distanceM;
    }
    return best;
  }

  readonly #byGeo: Fetch = async (cells, { latDeg, lonDeg, radiusM }, limit) => {
    const lowestDeg = Math.max(0, Math.abs(latDeg) - GEO_REACH_DEG);
    // Of two places one may seem so much nearer than it is, and the other so much farther.
    const slackM = 2 * coarseErrorM(lowestDeg) * GEO_SCALE + GEO_SLACK_M;
    const reachM = radiusM * GEO_SCALE + slackM;
    const list = cells.flatMap(({ cell, leastM }) => [cell, leastM]);
    const args = [this.#keys.cellPrefix, lonDeg, latDeg, reachM, limit, slackM, ...list];
    return (await this.#scripts.nearest([this.#keys.parties], args)) as Buffer[];
  };

  async #read(cells: readonly Cell[]): Promise<Buffer[]> {
    const { parties, cellPrefix } = this.#keys;
    return (await this.#scripts.readCells([parties], [cellPrefix, ...cells])) as Buffer[];
  }

  /** The cells of the range, if it is a large one only the occupied. */
  async #cellsIn(range: CellRange): Promise<Cell[]> {
    const cells: Cell[] = [];
    if (cellCount(range) <= MAX_CELLS_BY_NUMBER) {
      forEachCell(range, (cell) => cells.push(cell));
      return cells;
    }
    const to = lastCell(range);
    for (let from = firstCell(range); ; ) {
      const limit = ["LIMIT", 0, CELLS_PER_PAGE];
      const page = await this.#link.command("ZRANGEBYSCORE", this.#keys.cells, from, to, ...limit);
      const numbers = (page as Buffer[]).map((number) => Number(number.toString("latin1")));
      for (const cell of numbers) if (isInRange(range, cell)) cells.push(cell);
      if (numbers.length < CELLS_PER_PAGE) return cells;
      from = numbers.at(-1)! + 1;
    }
  }
}

/** The nearest of all, nearest first. */
export function nearestOf(found: Neighbour[], limit: number): Neighbour[] {
  found.sort((a, b) => a.distanceM - b.distanceM || (a.partyKey < b.partyKey ? -1 : 1));
  return found.length > limit ? found.slice(0, limit) : found;
}

/** Both; a party that moved between two reads counts where it was seen last. */
function withNewer(before: readonly Neighbour[], now: readonly Neighbour[]): Neighbour[] {
  const byKey = new Map<string, Neighbour>();
  for (const each of before) byKey.set(each.partyKey, each);
  for (const each of now) byKey.set(each.partyKey, each);
  return [...byKey.values()];
}

/** True where GEO can be left to find the candidates: away from the poles and from the 180th meridian. */
function isGeo({ latDeg, lonDeg, radiusM }: Circle): boolean {
  const { south, north, west, columns } = cellsOfCircle(latDeg, lonDeg, radiusM);
  const isFarFromPoles = south > GEO_CELLS.south && north < GEO_CELLS.north;
  return isFarFromPoles && west > GEO_CELLS.west && west + columns < GEO_CELLS.west + GEO_CELLS.columns;
}

function decodeAll(records: readonly (Buffer | null)[]): LatestParty[] {
  const parties: LatestParty[] = [];
  for (const record of records) {
    const party = record && decodeParty(record);
    if (party) parties.push(party);
  }
  return parties;
}

function neighbours(records: readonly (Buffer | null)[], { latDeg, lonDeg, radiusM }: Circle): Neighbour[] {
  const found: Neighbour[] = [];
  for (const party of decodeAll(records)) {
    const distanceM = haversineM(latDeg, lonDeg, party.latDeg, party.lonDeg);
    if (distanceM <= radiusM) found.push(Object.assign(party, { distanceM }));
  }
  return found;
}
