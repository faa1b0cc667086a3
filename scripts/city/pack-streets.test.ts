import { expect, test } from "vitest";
import { decodeStreets } from "../../demo/city/decode-streets.ts";
import { packStreets, simplify } from "./pack-streets.ts";
import { type Position, readWays } from "./read-ways.ts";

const street = (tags: Record<string, string>, coordinates: Position[]) => ({
  properties: tags,
  geometry: { type: "LineString", coordinates },
});
const LINE: Position[] = [
  [11.97, 57.7],
  [11.98, 57.71],
];

test("streets come back with class, name and place", () => {
  const ways = readWays({
    features: [street({ highway: "primary_link", name: "Göta" }, LINE), street({ highway: "steps" }, LINE)],
  });
  const { features } = decodeStreets(packStreets(ways));
  expect(features.map((feature) => feature.properties)).toEqual([
    { class: "path", name: "" },
    { class: "primary", name: "Göta" },
  ]);
  for (const { geometry } of features) {
    geometry.coordinates.flat().forEach((degrees, i) => {
      expect(degrees).toBeCloseTo(LINE.flat()[i]!, 5);
    });
  }
});

test("points close to the line are left out, corners are kept", () => {
  const bent: Position[] = [
    [11.97, 57.7],
    [11.971, 57.700001],
    [11.972, 57.7],
    [11.972, 57.701],
  ];
  expect(simplify(bent, 0.5)).toEqual([bent[0], bent[2], bent[3]]);
});

test("tags say who may drive where and how fast", () => {
  const [oneway, motorway, closed, backward, limited, area] = [
    { highway: "residential", oneway: "yes" },
    { highway: "motorway_link" },
    { highway: "service", access: "private" },
    { highway: "tertiary", oneway: "-1", tunnel: "yes" },
    { highway: "tertiary", maxspeed: "30", access: "no", motor_vehicle: "yes" },
    { highway: "pedestrian", area: "yes" },
  ].map((tags) => readWays({ features: [street(tags as unknown as Record<string, string>, LINE)] })[0]);
  expect(oneway).toMatchObject({ forward: true, backward: false, speedKmh: 30 });
  expect(motorway).toMatchObject({ class: "motorway", forward: true, backward: false, speedKmh: 50 });
  expect(closed).toMatchObject({ forward: false, backward: false });
  expect(backward).toMatchObject({ forward: false, backward: true, tunnel: true });
  expect(limited).toMatchObject({ forward: true, backward: true, speedKmh: 30 });
  expect(area).toBeUndefined();
});
