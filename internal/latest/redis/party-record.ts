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

/** Updates as update-parties.lua takes them, one after another. */
export function encodeUpdates(parties: readonly LatestParty[]): Buffer {
  let most = 0;
  for (const { partyKey, tripId } of parties)
    most += MAX_HEAD_BYTES + AT.key + partyKey.length + tripId.length;
  const blob = Buffer.allocUnsafe(most);
  let at = 0;
  for (const party of parties) {
    const { partyKey, tripId, latDeg, lonDeg } = party;
    const cell = cellOf(latDeg, lonDeg);
    const place = coarseScore(geoScore(latDeg, lonDeg));
    const [score, number] = [String(place), String(cell)];
    at = blob.writeUInt16LE(AT.key + partyKey.length + tripId.length, at);
    at = blob.writeUInt8(score.length, at);
    at = blob.writeUInt8(number.length, at);
    at += blob.write(score + number, at, TEXT);
    blob.writeDoubleLE(party.sessionEpoch, at + AT.sessionEpoch);
    blob.writeDoubleLE(party.seq, at + AT.seq);
    blob.writeDoubleLE(cell, at + AT.cell);
    blob.writeDoubleLE(place, at + AT.score);
    blob.writeDoubleLE(lonDeg, at + AT.lonDeg);
    blob.writeDoubleLE(latDeg, at + AT.latDeg);
    blob.writeDoubleLE(party.receivedAtMs, at + AT.receivedAtMs);
    blob.writeDoubleLE(party.capturedAtMs, at + AT.capturedAtMs);
    blob.writeDoubleLE(party.headingDeg, at + AT.headingDeg);
    blob.writeDoubleLE(party.speedMps, at + AT.speedMps);
    blob.writeUInt8(partyKey.length, at + AT.keyLength);
    at += AT.key;
    at += blob.write(partyKey + tripId, at, TEXT);
  }
  return blob.subarray(0, at);
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
