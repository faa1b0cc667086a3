import { describe, expect, test } from "vitest";
import { checkRegions } from "./check.ts";
import { parseRegions } from "./region-file.ts";

const NORTH: number[][] = [
  [11.8, 57.7],
  [12.1, 57.7],
  [12.1, 57.8],
  [11.8, 57.8],
  [11.8, 57.7],
];
const SOUTH: number[][] = NORTH.map(([lon, lat]) => [lon!, lat! - 0.1]);

type Properties = Record<string, unknown>;
const feature = (properties: Properties, ring: unknown = NORTH) => ({
  type: "Feature",
  properties,
  geometry: { type: "Polygon", coordinates: [ring] },
});
const file = (...features: unknown[]) => JSON.stringify({ type: "FeatureCollection", features });
const DEFAULTS = { cassandraLocalDc: "datacenter1", cassandraKeyspace: "bimride" };
const problemsOf = (...features: unknown[]) => checkRegions(file(...features), DEFAULTS).problems;
const moved = (ring: number[][], lon: number, lat: number) => ring.map(([x, y]) => [x! + lon, y! + lat]);

describe("a region file", () => {
  test("names the regions, the default and engines of their own", () => {
    const engines = {
      natsServers: ["nats-1:4222", "nats-2.example:4222"],
      redisNodes: ["[::1]:6379"],
      cassandraContactPoints: ["10.0.0.1:9042"],
      cassandraLocalDc: "dc1",
      cassandraKeyspace: "bimride_north",
    };
    const { all, defaultName } = parseRegions(
      file(feature({ name: "north", ...engines }), feature({ name: "south", default: true }, SOUTH)),
      DEFAULTS,
    );
    expect(defaultName).toBe("south");
    expect(all.map(({ name }) => name)).toEqual(["north", "south"]);
    expect(all.map((region) => region.engines)).toEqual([engines, {}]);
    expect(all[0]?.areas[0]?.bounds).toEqual({
      southDeg: 57.7,
      westDeg: 11.8,
      northDeg: 57.8,
      eastDeg: 12.1,
    });
  });

  test("is summed up when it is good", () => {
    const check = checkRegions(
      file(feature({ name: "north", redisNodes: ["r:1"] }), feature({ name: "south", default: true }, SOUTH)),
      DEFAULTS,
    );
    expect(check.problems).toEqual([]);
    expect(check.summary).toEqual([
      "north: 1 polygon of 4 points; own redisNodes",
      "south (default): 1 polygon of 4 points; engines as set",
    ]);
  });

  test("may have several polygons and holes, and a region in a hole of another", () => {
    const hole = moved(NORTH, 0, 0).map(([x, y]) => [11.9 + (x! - 11.8) / 10, 57.72 + (y! - 57.7) / 10]);
    const geometry = { type: "MultiPolygon", coordinates: [[NORTH, hole], [moved(NORTH, 1, 0)]] };
    const around = { type: "Feature", properties: { name: "around", default: true }, geometry };
    expect(problemsOf(around, feature({ name: "within" }, hole))).toEqual([]);
  });

  test.each([
    ["no JSON", "{", /^not JSON: /],
    ["no JSON over several lines", "[1,\n  north]", /^not JSON: .*north.*$/],
    ["another type", JSON.stringify({ type: "Feature" }), /FeatureCollection/],
    ["no features", file(), /no features/],
    ["null", "null", /FeatureCollection/],
    ["a coordinate system", JSON.stringify({ type: "FeatureCollection", features: [], crs: {} }), /WGS 84/],
  ])("that is %s has one problem", (_what, text, words) => {
    expect(checkRegions(text, DEFAULTS)).toEqual({ problems: [expect.stringMatching(words)], summary: [] });
  });

  test.each([
    ["a bad name", feature({ name: "North!", default: true }), "name must be 1 to 16 of a-z 0-9"],
    ["no name", feature({ default: true }), "name must be"],
    [
      "a default that is no switch",
      feature({ name: "north", default: "yes" }),
      "default must be true or false",
    ],
    [
      "an unknown property",
      feature({ name: "north", default: true, colour: "red" }),
      'unknown property "colour"',
    ],
    [
      "an address without a port",
      feature({ name: "n", default: true, redisNodes: ["r"] }),
      "redisNodes must be",
    ],
    [
      "credentials",
      feature({ name: "n", default: true, natsServers: ["nats://u:p@h:1"] }),
      "natsServers must be",
    ],
    ["no addresses", feature({ name: "n", default: true, natsServers: [] }), "natsServers must be"],
    [
      "a point",
      { ...feature({ name: "n", default: true }), geometry: { type: "Point" } },
      "must be a Polygon",
    ],
    ["no ring", feature({ name: "n", default: true }, "x"), "ring 0 is no list"],
    ["an open ring", feature({ name: "n", default: true }, NORTH.slice(0, 4)), "not closed"],
    ["a short ring", feature({ name: "n", default: true }, NORTH.slice(0, 2)), "has 2 positions; at least 4"],
    [
      "no area",
      feature({ name: "n", default: true }, [
        [0, 0],
        [1, 1],
        [2, 2],
        [0, 0],
      ]),
      "encloses nothing",
    ],
    [
      "a latitude out of range",
      feature({ name: "n", default: true }, moved(NORTH, 0, 40)),
      "position 0 is not",
    ],
    ["no numbers", feature({ name: "n", default: true }, [["a", "b"], ...NORTH]), "position 0 is not"],
    [
      "a bow tie",
      feature({ name: "n", default: true }, [
        [0, 0],
        [2, 2],
        [2, 0],
        [0, 2],
        [0, 0],
      ]),
      "ring 0 crosses or touches itself at latitude 1.000000, longitude 1.000000",
    ],
  ])("with %s is refused with the feature's index", (_what, wrong, words) => {
    const problems = problemsOf(feature({ name: "good" }, SOUTH), wrong);
    expect(problems[0]).toMatch(/^features\[1\]/);
    expect(problems[0]).toContain(words);
  });

  test.each([
    [
      "natsServers",
      ["h:4222", "h:99999"],
      "a list of host:port with ports from 1 to 65535: the one at 1 is none",
    ],
    ["redisNodes", ["h:0"], "a list of host:port with ports from 1 to 65535: the one at 0 is none"],
    [
      "cassandraContactPoints",
      ["...:9042"],
      "a list of host:port with ports from 1 to 65535: the one at 0 is none",
    ],
    ["cassandraContactPoints", ["10.0.0.256:9042"], "a list of host:port"],
    ["cassandraKeyspace", "system", "not system or system_…, which are Cassandra's own"],
    ["cassandraKeyspace", "system_auth", "not system or system_…"],
  ])("with the %s %j is refused in one line with its name", (key, value, words) => {
    const problems = problemsOf(feature({ name: "north", default: true, [key]: value }));
    expect(problems).toEqual([expect.stringContaining(`features[0] "north": ${key} must be `)]);
    expect(problems[0]).toContain(words);
  });

  test("may have a keyspace that only begins like one of Cassandra's", () => {
    expect(problemsOf(feature({ name: "n", default: true, cassandraKeyspace: "systems" }))).toEqual([]);
  });

  test("of more points than are looked at is refused before they are", () => {
    const ring = Array.from({ length: 10_001 }, () => [0, 0]);
    expect(problemsOf(feature({ name: "n", default: true }, ring))).toEqual([
      "10001 points in all; at most 10000: simplify the polygons",
    ]);
  });

  test("tells all its problems at once, with names", () => {
    const problems = problemsOf(
      feature({ name: "north", colour: 1, redisNodes: 3 }),
      feature({ name: "south" }, NORTH.slice(1)),
      feature({ name: "south" }, SOUTH),
      "nothing",
    );
    expect(problems).toEqual([
      expect.stringMatching(/^features\[0\] "north": unknown property "colour"/),
      expect.stringMatching(/^features\[0\] "north": redisNodes must be/),
      expect.stringMatching(/^features\[1\] "south": ring 0 is not closed/),
      expect.stringMatching(/^features\[3\]: is no GeoJSON Feature/),
      '"south": several regions have this name',
    ]);
  });

  test("needs exactly one default", () => {
    expect(problemsOf(feature({ name: "a" }))).toEqual([expect.stringMatching(/^default: no region has/)]);
    const both = problemsOf(
      feature({ name: "a", default: true }),
      feature({ name: "b", default: true }, SOUTH),
    );
    expect(both).toEqual([expect.stringMatching(/^default: a, b have/)]);
  });
});

describe("a keyspace", () => {
  const two = (north: Properties, south: Properties = {}) =>
    problemsOf(
      feature({ name: "north", default: true, ...north }),
      feature({ name: "south", ...south }, SOUTH),
    );

  test.each([
    [
      "by name",
      { cassandraKeyspace: "k", cassandraLocalDc: "oslo" },
      { cassandraKeyspace: "k" },
      "k",
      "oslo",
    ],
    ["by the settings", { cassandraLocalDc: "oslo" }, {}, "bimride", "oslo"],
    ["by both", { cassandraKeyspace: "bimride", cassandraLocalDc: "x" }, {}, "bimride", "x"],
    [
      "at other addresses",
      { cassandraLocalDc: "oslo", cassandraContactPoints: ["c.oslo:9042"] },
      { cassandraContactPoints: ["c.got:9042"] },
      "bimride",
      "oslo",
    ],
  ])("in two data centres is refused: %s", (_how, north, south, keyspace, dataCenter) => {
    expect(two(north, south)).toEqual([
      `the keyspace ${keyspace} is of several data centres: "north" in ${dataCenter}, "south" in datacenter1; give each its own (cassandraKeyspace)`,
    ]);
  });

  test("may be shared within a data centre, and each data centre may have its own", () => {
    expect(two({}, {})).toEqual([]);
    expect(two({ cassandraLocalDc: "datacenter1" })).toEqual([]);
    expect(two({ cassandraLocalDc: "oslo", cassandraKeyspace: "bimride_oslo" })).toEqual([]);
  });
});

describe("regions that overlap", () => {
  const overlapOf = (first: number[][], second: number[][]) =>
    problemsOf(feature({ name: "a", default: true }, first), feature({ name: "b" }, second));

  test("are told with how deep and where", () => {
    const [problem, ...rest] = overlapOf(NORTH, moved(NORTH, 0, -0.09));
    expect(rest).toEqual([]);
    expect(problem).toMatch(
      /^"a" and "b" overlap, about (5\d\d|1\d{3}) m deep at latitude 57\.7\d+, longitude 1[12]/,
    );
  });

  test.each([
    ["the same polygon", NORTH],
    ["the same polygon from another corner", [...NORTH.slice(1), NORTH[1]!]],
    ["the same polygon the other way round", NORTH.toReversed()],
    ["one within the other", NORTH.map(([x, y]) => [11.95 + (x! - 11.95) / 3, 57.75 + (y! - 57.75) / 3])],
    [
      "a cross without corners inside",
      [
        [11.9, 57.6],
        [12, 57.6],
        [12, 57.9],
        [11.9, 57.9],
        [11.9, 57.6],
      ],
    ],
  ])("are found: %s", (_what, ring) => {
    expect(overlapOf(NORTH, ring)).toEqual([expect.stringMatching(/overlap/)]);
    expect(overlapOf(ring, NORTH)).toEqual([expect.stringMatching(/overlap/)]);
  });

  test.each([
    ["a whole side", SOUTH],
    ["a part of a side", moved(SOUTH, 0.1, 0)],
    [
      "a side with a corner more",
      [...SOUTH.slice(0, 2), [12.1, 57.7], [11.95, 57.7], [11.8, 57.7], SOUTH[0]!],
    ],
    ["a side that is drawn 10 cm off", moved(SOUTH, 0, 1e-6)],
    ["a corner", moved(SOUTH, 0.3, 0)],
    ["nothing", moved(SOUTH, 5, 5)],
  ])("are not those that share %s", (_what, ring) => {
    expect(overlapOf(NORTH, ring)).toEqual([]);
    expect(overlapOf(ring, NORTH)).toEqual([]);
  });

  test("are found though their corners all lie within a metre of a straight line", () => {
    const circle = Array.from({ length: 2_001 }, (_, i) => {
      const angle = (2 * Math.PI * (i % 2_000)) / 2_000;
      return [12 + 0.1 * Math.cos(angle), 57 + 0.1 * Math.sin(angle)];
    });
    expect(overlapOf(circle, circle)).toEqual([expect.stringMatching(/overlap, about 6\d{3} m deep/)]);
  });
});
