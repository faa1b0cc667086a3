import { EARTH_RADIUS_M, haversineM, type Rect, rectContains } from "../../core/geo.ts";
import {
  type Cell,
  type CellRange,
  cellAreaM2,
  cellCount,
  cellOf,
  cellsOfCircle,
  cellsOfRect,
  forEachCell,
} from "../cells.ts";
import type { LatestParty } from "../latest.ts";

const RAD = Math.PI / 180;
/** Nearest-first searches begin with a radius that should hold so many times what is wanted. */
const MARGIN = 1.5;
/** They begin with this radius where the cell of the point is empty. */
const EMPTY_CELL_RADIUS_M = 500;
/** Slack of the chord comparison, which is only a sieve before the exact distance: relative, and absolute near zero. */
const SLACK = 1 + 1e-7;
const SLACK_NEAR_ZERO = 1e-20;
const FIRST_CAPACITY = 1_024;
/** Numbers per slot in the array of places: the unit vector, then latitude and longitude in degrees. */
const STRIDE = 5;

export type Neighbour = LatestParty & { distanceM: number };

/**
 * Parties in cells. Each has a number (slot); its place lies in one flat array, as a unit vector too, so that the sieve of a
 * search is three subtractions and three products per party instead of a haversine.
 */
export class PartyGrid {
  readonly #slots = new Map<string, number>();
  readonly #parties: LatestParty[] = [];
  readonly #free: number[] = [];
  readonly #cells = new Map<Cell, number[]>();
  #cellOfSlot = new Int32Array(FIRST_CAPACITY);
  #rankInCell = new Int32Array(FIRST_CAPACITY);
  #places = new Float64Array(STRIDE * FIRST_CAPACITY);
  /** Slots and squared chords that the last sieve let through. */
  #found = new Int32Array(FIRST_CAPACITY);
  #chords = new Float64Array(FIRST_CAPACITY);

  get size(): number {
    return this.#slots.size;
  }

  get(partyKey: string): LatestParty | undefined {
    const slot = this.#slots.get(partyKey);
    return slot === undefined ? undefined : this.#parties[slot];
  }

  /** Puts the party in its place, and nowhere else. */
  set(party: LatestParty): void {
    const known = this.#slots.get(party.partyKey);
    const slot = known ?? this.#free.pop() ?? this.#parties.length;
    const cell = cellOf(party.latDeg, party.lonDeg);
    this.#parties[slot] = party;
    if (known === undefined) {
      this.#slots.set(party.partyKey, slot);
      this.#grow(slot + 1);
      this.#enter(slot, cell);
    } else if (this.#cellOfSlot[slot] !== cell) {
      this.#leave(slot);
      this.#enter(slot, cell);
    }
    const ring = Math.cos(party.latDeg * RAD);
    const place = this.#places;
    place[STRIDE * slot] = ring * Math.cos(party.lonDeg * RAD);
    place[STRIDE * slot + 1] = ring * Math.sin(party.lonDeg * RAD);
    place[STRIDE * slot + 2] = Math.sin(party.latDeg * RAD);
    place[STRIDE * slot + 3] = party.latDeg;
    place[STRIDE * slot + 4] = party.lonDeg;
  }

  /** Removes the party; false when it was not there. */
  delete(partyKey: string): boolean {
    const slot = this.#slots.get(partyKey);
    if (slot === undefined) return false;
    this.#leave(slot);
    this.#slots.delete(partyKey);
    this.#free.push(slot);
    return true;
  }

  /** Removes the parties received before the time; answers how many. */
  deleteBefore(receivedBeforeMs: number): number {
    let deleted = 0;
    for (const [partyKey, slot] of this.#slots)
      if (this.#parties[slot]!.receivedAtMs < receivedBeforeMs && this.delete(partyKey)) deleted++;
    return deleted;
  }

  /** Parties in the rectangle, at most `limit`, and whether there were more. */
  within(rect: Rect, limit: number): { parties: LatestParty[]; truncated: boolean } {
    const parties: LatestParty[] = [];
    let truncated = false;
    this.#visit(cellsOfRect(rect), (slots) => {
      for (let i = 0; i < slots.length && !truncated; i++) {
        const party = this.#parties[slots[i]!]!;
        if (!rectContains(rect, party.latDeg, party.lonDeg)) continue;
        if (parties.length < limit) parties.push(party);
        else truncated = true;
      }
    });
    return { parties, truncated };
  }

  /** Parties within the radius, nearest first (ties by key), at most `limit`. */
  nearby(latDeg: number, lonDeg: number, radiusM: number, limit: number): Neighbour[] {
    const firstM = Math.min(this.#guess(latDeg, lonDeg, limit), radiusM);
    for (let tryM = firstM; ; tryM = this.#widen(latDeg, lonDeg, tryM, radiusM)) {
      const count = this.#sieve(latDeg, lonDeg, tryM);
      if (count < limit && tryM < radiusM) continue;
      const found = this.#nearest(latDeg, lonDeg, tryM, limit, count);
      if (found.length >= limit || tryM >= radiusM) return found;
    }
  }

  /** The radius that holds `limit` parties and some if all round it is as in the cell of the point. */
  #guess(latDeg: number, lonDeg: number, limit: number): number {
    const there = this.#cells.get(cellOf(latDeg, lonDeg))?.length ?? 0;
    if (there === 0) return EMPTY_CELL_RADIUS_M;
    return Math.sqrt((MARGIN * limit * cellAreaM2(latDeg)) / (Math.PI * there));
  }

  /** Twice the radius, or all of it where looking at every occupied cell is no dearer. */
  #widen(latDeg: number, lonDeg: number, tryM: number, radiusM: number): number {
    const nextM = Math.min(2 * tryM, radiusM);
    return cellCount(cellsOfCircle(latDeg, lonDeg, nextM)) < this.#cells.size ? nextM : radiusM;
  }

  /** The nearest of the `count` that the sieve let through. */
  #nearest(latDeg: number, lonDeg: number, radiusM: number, limit: number, count: number): Neighbour[] {
    const chords = this.#chords;
    const place = this.#places;
    let reach = Number.POSITIVE_INFINITY;
    if (count > limit) reach = chords.slice(0, count).sort()[limit - 1]! * SLACK + SLACK_NEAR_ZERO;
    const near: Neighbour[] = [];
    for (let i = 0; i < count; i++) {
      if (chords[i]! > reach) continue;
      const slot = this.#found[i]!;
      const distanceM = haversineM(latDeg, lonDeg, place[STRIDE * slot + 3]!, place[STRIDE * slot + 4]!);
      if (distanceM <= radiusM) near.push(neighbour(this.#parties[slot]!, distanceM));
    }
    near.sort(nearestFirst);
    if (near.length > limit) near.length = limit;
    return near;
  }

  /** Notes the parties within the radius, and perhaps some a hair beyond; answers how many. */
  #sieve(latDeg: number, lonDeg: number, radiusM: number): number {
    const half = Math.sin(Math.min(Math.PI, radiusM / EARTH_RADIUS_M) / 2);
    const maxChord2 = 4 * half * half * SLACK + SLACK_NEAR_ZERO;
    const ring = Math.cos(latDeg * RAD);
    const x = ring * Math.cos(lonDeg * RAD);
    const y = ring * Math.sin(lonDeg * RAD);
    const z = Math.sin(latDeg * RAD);
    const place = this.#places;
    let count = 0;
    this.#visit(cellsOfCircle(latDeg, lonDeg, radiusM), (slots) => {
      for (let i = 0; i < slots.length; i++) {
        const slot = slots[i]!;
        const dx = place[STRIDE * slot]! - x;
        const dy = place[STRIDE * slot + 1]! - y;
        const dz = place[STRIDE * slot + 2]! - z;
        const chord2 = dx * dx + dy * dy + dz * dz;
        if (chord2 > maxChord2) continue;
        this.#found[count] = slot;
        this.#chords[count++] = chord2;
      }
    });
    return count;
  }

  /** Calls back for each occupied cell of the range. */
  #visit(range: CellRange, callback: (slots: number[]) => void): void {
    if (cellCount(range) >= this.#cells.size) {
      for (const slots of this.#cells.values()) callback(slots);
      return;
    }
    forEachCell(range, (cell) => {
      const slots = this.#cells.get(cell);
      if (slots) callback(slots);
    });
  }

  #enter(slot: number, cell: Cell): void {
    const slots = this.#cells.get(cell);
    if (slots) this.#rankInCell[slot] = slots.push(slot) - 1;
    else {
      this.#cells.set(cell, [slot]);
      this.#rankInCell[slot] = 0;
    }
    this.#cellOfSlot[slot] = cell;
  }

  #leave(slot: number): void {
    const cell = this.#cellOfSlot[slot]!;
    const slots = this.#cells.get(cell)!;
    const last = slots.pop()!;
    if (last !== slot) {
      slots[this.#rankInCell[slot]!] = last;
      this.#rankInCell[last] = this.#rankInCell[slot]!;
    }
    if (slots.length === 0) this.#cells.delete(cell);
  }

  #grow(needed: number): void {
    if (needed <= this.#cellOfSlot.length) return;
    const capacity = 2 * this.#cellOfSlot.length;
    const wider = <T extends Int32Array | Float64Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#cellOfSlot = wider(new Int32Array(capacity), this.#cellOfSlot);
    this.#rankInCell = wider(new Int32Array(capacity), this.#rankInCell);
    this.#places = wider(new Float64Array(STRIDE * capacity), this.#places);
    this.#found = new Int32Array(capacity);
    this.#chords = new Float64Array(capacity);
  }
}

/** Written out, because spreading an object costs more than finding it. */
function neighbour(party: LatestParty, distanceM: number): Neighbour {
  return {
    partyKey: party.partyKey,
    sessionEpoch: party.sessionEpoch,
    seq: party.seq,
    latDeg: party.latDeg,
    lonDeg: party.lonDeg,
    headingDeg: party.headingDeg,
    speedMps: party.speedMps,
    capturedAtMs: party.capturedAtMs,
    receivedAtMs: party.receivedAtMs,
    tripId: party.tripId,
    distanceM,
  };
}

function nearestFirst(a: Neighbour, b: Neighbour): number {
  return a.distanceM - b.distanceM || (a.partyKey < b.partyKey ? -1 : 1);
}
