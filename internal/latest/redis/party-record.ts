import { cellOf } from "../cells.ts";
import type { LatestParty } from "../latest.ts";
import { coarseScore, geoScore } from "./geo-score.ts";

/**
 * A party as Redis has it: ten little-endian doubles, the length of the key in one byte, key, trip id. The scripts read
 * the first five numbers and the key, so their order is theirs too.
 */
const AT = {
  sessionEpoch: 0,
  seq: 8,
  cell: 16,
  score: 24,
  receivedAtMs: 32,
  capturedAtMs: 40,
  latDeg: 48,
  lonDeg: 56,
  headingDeg: 64,
  speedMps: 72,
  keyLength: 80,
  key: 81,
} as const;

/** Keys and trip ids are ASCII (core/ids.ts). */
const TEXT = "latin1";

/** Before a record: its length in 16 bits, those of score and cell in 8 each, and these two in digits. */
const MAX_HEAD_BYTES = 4 + 16 + 10;
/** Key and trip id: kind and slash, 64 characters; region and dash, 26. */
const MAX_TEXT_BYTES = 7 + 64 + 17 + 26;

/** Room that any so many updates fit into, with the longest key and trip id (core/ids.ts). */
export function roomFor(updates: number): Buffer {
  return Buffer.allocUnsafeSlow(updates * (MAX_HEAD_BYTES + AT.key + MAX_TEXT_BYTES));
}

/**
 * Updates as update-parties.lua takes them, one after another.
 * @param room for them; what is returned lies in it
 */
export function encodeUpdates(parties: readonly LatestParty[], room: Buffer): Buffer {
  let at = 0;
  for (const party of parties) {
    const { partyKey, tripId, latDeg, lonDeg } = party;
    if (partyKey.length + tripId.length > MAX_TEXT_BYTES) throw new RangeError("a name is too long");
    const cell = cellOf(latDeg, lonDeg);
    const place = coarseScore(geoScore(latDeg, lonDeg));
    const [score, number] = [String(place), String(cell)];
    at = room.writeUInt16LE(AT.key + partyKey.length + tripId.length, at);
    at = room.writeUInt8(score.length, at);
    at = room.writeUInt8(number.length, at);
    at += room.write(score + number, at, TEXT);
    room.writeDoubleLE(party.sessionEpoch, at + AT.sessionEpoch);
    room.writeDoubleLE(party.seq, at + AT.seq);
    room.writeDoubleLE(cell, at + AT.cell);
    room.writeDoubleLE(place, at + AT.score);
    room.writeDoubleLE(lonDeg, at + AT.lonDeg);
    room.writeDoubleLE(latDeg, at + AT.latDeg);
    room.writeDoubleLE(party.receivedAtMs, at + AT.receivedAtMs);
    room.writeDoubleLE(party.capturedAtMs, at + AT.capturedAtMs);
    room.writeDoubleLE(party.headingDeg, at + AT.headingDeg);
    room.writeDoubleLE(party.speedMps, at + AT.speedMps);
    room.writeUInt8(partyKey.length, at + AT.keyLength);
    at += AT.key;
    at += room.write(partyKey + tripId, at, TEXT);
  }
  return room.subarray(0, at);
}

/** A record as {@link encodeUpdates} made it; undefined for a tombstone. */
export function decodeParty(record: Buffer): LatestParty | undefined {
  if (record.length < AT.key) return undefined;
  const tripAt = AT.key + record.readUInt8(AT.keyLength);
  return {
    partyKey: record.toString(TEXT, AT.key, tripAt),
    sessionEpoch: record.readDoubleLE(AT.sessionEpoch),
    seq: record.readDoubleLE(AT.seq),
    latDeg: record.readDoubleLE(AT.latDeg),
    lonDeg: record.readDoubleLE(AT.lonDeg),
    headingDeg: record.readDoubleLE(AT.headingDeg),
    speedMps: record.readDoubleLE(AT.speedMps),
    capturedAtMs: record.readDoubleLE(AT.capturedAtMs),
    receivedAtMs: record.readDoubleLE(AT.receivedAtMs),
    tripId: record.toString(TEXT, tripAt),
  };
}
