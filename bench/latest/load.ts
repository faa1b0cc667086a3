import { destination } from "../../internal/core/geo.ts";
import type { LatestParty } from "../../internal/latest/latest.ts";
import { recordedFixes } from "../history/load.ts";

export type LatestLoad = {
  /** Parties that drive. */
  parties: number;
  /** Updates of each in one run. */
  rounds: number;
  /** Updates in one flush; each is of another party. */
  updatesPerFlush: number;
};

/** Where a car is, one place per second of a drive. */
export type Place = Pick<LatestParty, "latDeg" | "lonDeg" | "headingDeg" | "speedMps">;

/** A car sends every fourth second. */
const EVERY_S = 4;
/** Where in the drives a party begins: far from the one before. */
const STRIDE = 7_919;
/** Without recorded drives: a drive of this many seconds through a city of this size. */
const SYNTHETIC_S = 50_000;
const CITY = { latDeg: 57.7, lonDeg: 11.97, halfDeg: 0.1 };

/** The recorded drives one after another without what a gateway refuses, or, where they are not at hand, a drive that wanders through a city. */
export function places(traces: string | undefined): Place[] {
  if (!traces) return wanderingDrive();
  return recordedFixes(traces, Date.now())
    .filter(({ latDeg, lonDeg }) => Math.abs(latDeg) <= 90 && Math.abs(lonDeg) <= 180)
    .map(({ latDeg, lonDeg, headingDeg, speedMps }) => ({ latDeg, lonDeg, headingDeg, speedMps }));
}

function wanderingDrive(): Place[] {
  const drive: Place[] = [];
  let at = { latDeg: CITY.latDeg, lonDeg: CITY.lonDeg };
  for (let second = 0; second < SYNTHETIC_S; second++) {
    const isOut = Math.abs(at.latDeg - CITY.latDeg) + Math.abs(at.lonDeg - CITY.lonDeg) > CITY.halfDeg;
    if (isOut) at = { latDeg: CITY.latDeg, lonDeg: CITY.lonDeg };
    const headingDeg = (360 + 90 * Math.sin(second / 97) + 140 * Math.sin(second / 1_013)) % 360;
    const speedMps = Math.max(0, 9 + 9 * Math.sin(second / 31));
    at = destination(at.latDeg, at.lonDeg, headingDeg, speedMps);
    drive.push({ ...at, headingDeg, speedMps });
  }
  return drive;
}

/**
 * The flushes of one run, in the order in which partition owners make them: each has some parties, every party comes
 * once a round.
 * @param firstSeq of the run: larger than any of the run before
 */
export function flushesOf(drive: readonly Place[], load: LatestLoad, firstSeq: number): LatestParty[][] {
  const { parties, rounds, updatesPerFlush } = load;
  const owners = Math.floor(parties / updatesPerFlush);
  const flushes: LatestParty[][] = [];
  for (let round = 0; round < rounds; round++)
    for (let owner = 0; owner < owners; owner++)
      flushes.push(
        Array.from({ length: updatesPerFlush }, (_, i) =>
          updateAt(drive, owner + i * owners, firstSeq + round),
        ),
      );
  return flushes;
}

function updateAt(drive: readonly Place[], party: number, seq: number): LatestParty {
  const { latDeg, lonDeg, headingDeg, speedMps } = drive[(party * STRIDE + seq * EVERY_S) % drive.length]!;
  const capturedAtMs = 1_790_000_000_000 + 1_000 * EVERY_S * seq;
  return {
    partyKey: `driver/car-${party}`,
    sessionEpoch: 1_790_000_000_000,
    seq,
    ...{ latDeg, lonDeg, headingDeg, speedMps },
    capturedAtMs,
    receivedAtMs: capturedAtMs + 120,
    tripId: party % 3 === 0 ? `got-${String(party).padStart(26, "0")}` : "",
  };
}
