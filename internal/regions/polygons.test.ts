import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkRegions } from "./check.ts";

type Ring = number[][];
const box = (west: number, south: number, east: number, north: number): Ring => [
  [west, south],
  [east, south],
  [east, north],
  [west, north],
  [west, south],
];

function problemsOf(type: "Polygon" | "MultiPolygon", coordinates: unknown): readonly string[] {
  const feature = {
    type: "Feature",
    properties: { name: "north", default: true },
    geometry: { type, coordinates },
  };
  return checkRegions(JSON.stringify({ type: "FeatureCollection", features: [feature] }), {
    cassandraLocalDc: "datacenter1",
    cassandraKeyspace: "bimride",
  }).problems;
}
const rings = (...all: Ring[]) => problemsOf("Polygon", all);
const parts = (...all: Ring[][]) => problemsOf("MultiPolygon", all);
/** The one problem that there is. */
function only(problems: readonly string[]): string {
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^features\[0\] "north": /);
  return problems[0]!.slice('features[0] "north": '.length);
}

const OUTER = box(10, 50, 14, 54);
/** From another corner, the other way round, with a corner more. */
const OUTER_OTHERWISE: Ring = [
  [14, 54],
  [14, 50],
  [12, 50],
  [10, 50],
  [10, 54],
  [14, 54],
];
const DIAMOND: Ring = [
  [12, 50],
  [14, 52],
  [12, 54],
  [10, 52],
  [12, 50],
];

describe("a hole", () => {
  test.each([
    ["the outer ring again", OUTER, "is the outer ring again"],
    ["the outer ring otherwise drawn", OUTER_OTHERWISE, "is the outer ring again"],
    [
      "the outer ring a hand's breadth off",
      box(10 - 1e-6, 50 - 1e-6, 14 + 1e-6, 54 + 1e-6),
      "is the outer ring again",
    ],
    ["larger", box(9, 49, 15, 55), "is larger than the outer ring"],
    ["larger at one side", box(10, 50, 15, 54), "is larger than the outer ring"],
    ["elsewhere", box(20, 50, 21, 51), "lies outside the outer ring"],
    ["beside the outer ring", box(14, 50, 15, 54), "lies outside the outer ring"],
    ["at a corner of the outer ring", box(14, 54, 15, 55), "lies outside the outer ring"],
  ])("that is %s is refused", (_what, hole, words) => {
    expect(only(rings(OUTER, hole))).toBe(`ring 1, a hole, ${words}`);
  });

  test("that goes through the outer ring is refused with the place", () => {
    expect(only(rings(OUTER, box(13, 51, 15, 52)))).toBe(
      "ring 1 crosses ring 0 at latitude 51.000000, longitude 14.000000, and 1 times more",
    );
  });

  test("that goes through the outer ring where that has corners is refused", () => {
    const across: Ring = [
      [12, 50],
      [16, 52],
      [12, 54],
      [12, 50],
    ];
    expect(only(rings(DIAMOND, across))).toBe("ring 1, a hole, crosses the outer ring");
  });

  const FIRST = box(11, 51, 12, 52);
  test.each([
    ["is another again", FIRST, "is the hole of ring 1 again"],
    ["lies within another", box(11.2, 51.2, 11.8, 51.8), "lies within the hole of ring 1"],
    ["holds another", box(10.5, 50.5, 13, 53), "holds the hole of ring 1"],
  ])("that %s is refused", (_what, hole, words) => {
    expect(only(rings(OUTER, FIRST, hole))).toBe(`ring 2, a hole, ${words}`);
  });

  test("that crosses another is refused with both", () => {
    expect(only(rings(OUTER, FIRST, box(11.5, 51.5, 13, 53)))).toMatch(/^ring 2 crosses ring 1 at latitude/);
  });

  test("may touch the outer ring and another hole", () => {
    const corner: Ring = [
      [10, 52],
      [11, 51],
      [11, 53],
      [10, 52],
    ];
    expect(rings(OUTER, corner, box(11, 52.5, 12, 53.5))).toEqual([]);
    expect(rings(DIAMOND, box(11, 51, 13, 53))).toEqual([]);
  });
});

describe("a ring", () => {
  const CORNERS = OUTER.slice(0, 4);
  test.each<[string, Ring]>([
    ["traced twice", [...CORNERS, ...OUTER]],
    [
      "traced twice, once with more corners",
      [...OUTER_OTHERWISE.toReversed(), ...OUTER_OTHERWISE.toReversed().slice(1)],
    ],
    ["that goes back the way it came", [...OUTER, ...CORNERS.toReversed()]],
    [
      "with a spike",
      [
        [10, 50],
        [14, 50],
        [14, 54],
        [16, 54],
        [14, 54],
        [10, 54],
        [10, 50],
      ],
    ],
    [
      "that crosses itself at a corner",
      [
        [10, 50],
        [12, 52],
        [14, 54],
        [14, 50],
        [12, 52],
        [10, 54],
        [10, 50],
      ],
    ],
    [
      "that touches itself",
      [
        [10, 50],
        [14, 50],
        [14, 54],
        [12, 50],
        [10, 54],
        [10, 50],
      ],
    ],
  ])("%s is refused", (_what, ring) => {
    expect(only(rings(ring))).toMatch(
      /^ring 0 crosses or touches itself at latitude 5\d\.\d{6}, longitude 1\d\./,
    );
  });

  test("may name a place twice in succession", () => {
    expect(
      rings(
        OUTER.flatMap((place) => [place, place.map((degrees) => degrees + 1e-13)])
          .slice(0, -1)
          .concat([OUTER[0]!]),
      ),
    ).toEqual([]);
  });

  test.each([
    ["once around the globe the wrong way", box(179, -20, -179, -15), "from position 0 to 1", 358],
    ["from end to end of the map", box(-180, -20, 180, -15), "from position 0 to 1", 360],
  ])("%s is refused", (_what, ring, where, degrees) => {
    expect(only(rings(ring))).toBe(
      `ring 0 goes ${degrees}° of longitude ${where}; at most 180: cut the polygon at the antimeridian`,
    );
  });

  test("may go half around the globe with a line, and be cut at the antimeridian", () => {
    expect(rings(box(0, -20, 180, -15))).toEqual([]);
    expect(parts([box(179, -20, 180, -15)], [box(-180, -20, -179, -15)])).toEqual([]);
  });

  test("of another polygon is named with it", () => {
    expect(only(parts([box(0, 0, 1, 1)], [OUTER, OUTER]))).toBe(
      "polygon 1, ring 1, a hole, is the outer ring again",
    );
  });

  test("with any number of corners around a place is accepted, traced twice never", () => {
    const corners = fc.uniqueArray(fc.integer({ min: 0, max: 359 }), { minLength: 3, maxLength: 40 });
    const radii = fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(corners, radii, (angles, lengths) => {
        const sorted = angles.toSorted((a, b) => a - b);
        const gaps = sorted.map((angle, i) => (sorted[(i + 1) % sorted.length]! - angle + 360) % 360);
        fc.pre(gaps.every((gap) => gap < 180));
        const star = sorted.map((angle, i) => {
          const radians = (angle * Math.PI) / 180;
          return [12 + lengths[i]! * Math.cos(radians), 50 + lengths[i]! * Math.sin(radians)];
        });
        expect(rings([...star, star[0]!])).toEqual([]);
        expect(rings([...star, ...star, star[0]!])).toHaveLength(1);
      }),
    );
  });
});

describe("polygons of one region", () => {
  test.each([
    ["that are equal", [OUTER], [OUTER_OTHERWISE]],
    ["of which one holds the other", [OUTER], [box(11, 51, 12, 52)]],
    ["that cross", [OUTER], [box(13, 51, 15, 52)]],
    ["with equal holes", [OUTER, box(11, 51, 12, 52)], [OUTER, box(11, 51, 12, 52)]],
  ])("%s are refused with both", (_what, first, second) => {
    for (const pair of [
      [first, second],
      [second, first],
    ])
      expect(only(parts([box(0, 0, 1, 1)], ...pair))).toMatch(
        /^polygons 1 and 2 overlap, about \d+ km deep at latitude/,
      );
  });

  test("may touch, lie apart, and one may lie in a hole of another", () => {
    expect(parts([OUTER], [box(14, 50, 15, 54)], [box(15, 54, 16, 55)])).toEqual([]);
    expect(parts([OUTER, box(11, 51, 12, 52)], [box(11, 51, 12, 52)])).toEqual([]);
  });
});
