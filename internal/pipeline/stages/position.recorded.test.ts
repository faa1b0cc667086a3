import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Csv, type DirtKind, dirty, parseCsv, thinned } from "../../../bench/dirt.ts";
import type { Fix } from "../../core/fix.ts";
import { distanceM, METRES_PER_DEGREE } from "../../core/geo.ts";
import { applyPosition, createEstimate, createPositionState, placeLate } from "./position.ts";

const SHARED =
  process.env.BIMRIDE_TRACES ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url));
const TRACES = `${SHARED}/traces`;
const MISSING = !existsSync(TRACES);
const PHONES = ["20200514-pixel4", "20200514-pixel4xl"];
const SEEDS = [1, 2, 3, 4, 5, 6];

type Place = { tMs: number; latDeg: number; lonDeg: number };
const read = (file: string) => parseCsv(readFileSync(`${TRACES}/${file}`, "utf8"));
const apart = (a: Place, b: Place) => distanceM(a.latDeg, a.lonDeg, b.latDeg, b.lonDeg);
const rms = (errors: number[]) =>
  Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
const p95 = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(0.95 * values.length)]!;

function fixesOf({ header, rows }: Csv): (Fix & Place)[] {
  return rows.map((cells, seq) => {
    const value = (name: string) => {
      const cell = cells[header.indexOf(name)];
      return cell ? Number(cell) : Number.NaN;
    };
    return {
      seq,
      tMs: value("t_ms"),
      capturedAtMs: value("t_ms"),
      latDeg: value("lat"),
      lonDeg: value("lon"),
      accuracyM: value("accuracy_m"),
      speedMps: value("speed_mps"),
      headingDeg: value("heading_deg"),
      altitudeM: Number.NaN,
      source: "gnss",
      mock: false,
    };
  });
}

/** What is published for the fixes in their order of arrival, each once; late ones where the trail has them. */
function published(fixes: readonly (Fix & Place)[]): (Place & { late: boolean })[] {
  const state = createPositionState();
  const places: (Place & { late: boolean })[] = [];
  const seen = new Set<number>();
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const fix of fixes) {
    if (seen.has(fix.tMs)) continue;
    seen.add(fix.tMs);
    const out = createEstimate();
    const late = fix.tMs < newestMs;
    if (!late) applyPosition(state, fix, fix.tMs, out);
    newestMs = Math.max(newestMs, fix.tMs);
    if (!late || placeLate(state, fix, fix.tMs, out)) {
      places.push({ tMs: fix.tMs, latDeg: out.latDeg, lonDeg: out.lonDeg, late });
    }
  }
  return places;
}

/** A phone's drive with its truth at 10 Hz. */
function phone(name: string, everyS: number) {
  const truth = new Map(fixesOf(read(`gsdc-mtv/${name}.truth.csv`)).map((place) => [place.tMs, place]));
  const errors = (places: readonly Place[]) =>
    places.flatMap((place) => {
      const right = truth.get(place.tMs);
      return right ? [apart(place, right)] : [];
    });
  const drive = thinned(read(`gsdc-mtv/${name}.csv`), everyS);
  const withDirt = (kind: DirtKind, seed: number) => {
    const { csv, drifts } = dirty(drive, kind, seed);
    const fixes = fixesOf(csv);
    return { fixes, drifts, shown: published(fixes) };
  };
  return { drive, truth, errors, withDirt, rawRms: rms(errors(fixesOf(drive))) };
}

const cases = PHONES.flatMap((name) => [1, 4].map((everyS) => [name, everyS] as const));

describe.skipIf(MISSING)("the marker on phones' recorded drives (BIMRIDE_TRACES)", () => {
  it.each(cases)("%s every %i s untouched is as good as the recording", (name, everyS) => {
    const { drive, errors, rawRms } = phone(name, everyS);
    expect(rms(errors(published(fixesOf(drive))))).toBeLessThan(Math.max(1.05 * rawRms, rawRms + 0.3));
  });

  it.each(cases)("%s every %i s stays within 3 m a minute while the car stands", (name, everyS) => {
    const { drive } = phone(name, everyS);
    const fixes = fixesOf(drive);
    const shown = published(fixes);
    let [stretchM, stretchMs] = [0, 0];
    for (let i = 1; i < fixes.length; i++) {
      const stands = fixes[i]!.speedMps < 0.3 && fixes[i - 1]!.speedMps < 0.3;
      stretchM = stands ? stretchM + apart(shown[i]!, shown[i - 1]!) : 0;
      stretchMs = stands ? stretchMs + fixes[i]!.tMs - fixes[i - 1]!.tMs : 0;
      expect(stretchM / Math.max(1, stretchMs / 60_000)).toBeLessThan(3);
    }
  });

  it.each(cases)("%s every %i s is not led astray by jumps, lost, doubled and late fixes", (name, everyS) => {
    const { withDirt, errors, rawRms } = phone(name, everyS);
    for (const seed of SEEDS) {
      expect(rms(errors(withDirt("base", seed).shown))).toBeLessThan(rawRms + 0.5);
      expect(rms(errors(withDirt("jumps", seed).shown))).toBeLessThan(rawRms + 0.5);
    }
  });

  it.each(cases)("%s every %i s is smoothed when its noise is 12 m", (name, everyS) => {
    const { withDirt, errors } = phone(name, everyS);
    for (const seed of SEEDS)
      expect(rms(errors(withDirt("noise", seed).shown))).toBeLessThan(everyS > 1 ? 8 : 4.5);
  });

  it.each(cases)("%s every %i s does not follow a slow bias of 12 m all the way", (name, everyS) => {
    const { withDirt, errors } = phone(name, everyS);
    for (const seed of SEEDS) expect(rms(errors(withDirt("bias", seed).shown))).toBeLessThan(11);
  });

  it.each(cases)("%s every %i s is back by the third fix after a drift", (name, everyS) => {
    const { withDirt, truth } = phone(name, everyS);
    let returns = 0;
    for (const seed of SEEDS) {
      const { fixes, shown, drifts } = withDirt("drift", seed);
      const raw = new Map(fixes.map((fix) => [fix.tMs, fix]));
      for (const { toMs } of drifts) {
        const third = shown.filter((place) => !place.late && place.tMs > toMs)[2];
        const right = third && truth.get(third.tMs);
        if (!third || !right) continue;
        returns++;
        expect(apart(third, right)).toBeLessThan(apart(raw.get(third.tMs)!, right) + 5);
      }
    }
    expect(returns).toBeGreaterThan(50);
  });
});

describe.skipIf(MISSING)("the marker on recorded drives without speed (BIMRIDE_TRACES)", () => {
  const tracks = MISSING
    ? []
    : readdirSync(`${TRACES}/kubicka`).filter((file) => /^track-\d+\.csv$/.test(file));

  it.each([1, 4])("is as near to the road as the recording, every track, every %i s", (everyS) => {
    for (const file of tracks.filter((_, i) => i % 3 === 0)) {
      const fixes = fixesOf(thinned(read(`kubicka/${file}`), everyS));
      const road = roadOf(file);
      const raw = p95(fixes.map((fix) => toRoadM(road, fix)));
      const shown = p95(published(fixes).map((place) => toRoadM(road, place)));
      expect(shown, file).toBeLessThan(1.05 * raw);
    }
  });
});

type Piece = [fromLat: number, fromLon: number, toLat: number, toLon: number];

function roadOf(file: string): Piece[] {
  const { header, rows } = read(`kubicka/${file.replace(".csv", ".route.csv")}`);
  const [lat, lon, part] = ["lat", "lon", "part"].map((name) => header.indexOf(name)) as [
    number,
    number,
    number,
  ];
  const pieces: Piece[] = [];
  rows.forEach((cells, i) => {
    const before = rows[i - 1];
    const from = before && before[part] === cells[part] ? before : cells;
    pieces.push([Number(from[lat]), Number(from[lon]), Number(cells[lat]), Number(cells[lon])]);
  });
  return pieces;
}

function toRoadM(road: readonly Piece[], place: Place): number {
  const perLon = METRES_PER_DEGREE * Math.cos((place.latDeg * Math.PI) / 180);
  let least = Number.POSITIVE_INFINITY;
  for (const [aLat, aLon, bLat, bLon] of road) {
    const ax = (aLon - place.lonDeg) * perLon;
    const ay = (aLat - place.latDeg) * METRES_PER_DEGREE;
    const dx = (bLon - aLon) * perLon;
    const dy = (bLat - aLat) * METRES_PER_DEGREE;
    const length2 = dx * dx + dy * dy;
    const share = length2 > 0 ? Math.max(0, Math.min(1, -(ax * dx + ay * dy) / length2)) : 0;
    least = Math.min(least, (ax + share * dx) ** 2 + (ay + share * dy) ** 2);
  }
  return Math.sqrt(least);
}
