import { describe, expect, test } from "vitest";
import { newTripId } from "../core/ids.ts";
import { nodeOf } from "./contract.ts";
import { localNodes } from "./local/nodes.ts";
import type { LiveNode } from "./nodes.ts";
import { createPlacement, type Placed } from "./placement.ts";

const dana = { kind: "driver", id: "dana" } as const;
const NORTH = { latDeg: 60, lonDeg: 11 };
const SOUTH = { latDeg: 55, lonDeg: 11 };
/** North of 57.5 degrees is n1, the rest is s1; near the border a party stays where it was. */
const regionOf = (latDeg: number, _lonDeg: number, last: string) =>
  Math.abs(latDeg - 57.5) < 0.01 && last !== "" ? last : latDeg > 57.5 ? "n1" : "s1";

async function placementOver(nodes: Record<string, LiveNode[]>) {
  const byRegion = new Map(Object.keys(nodes).map((region) => [region, localNodes()]));
  for (const [region, registry] of byRegion) for (const node of nodes[region]!) await registry.announce(node);
  return createPlacement({ byRegion, defaultRegion: "s1", regionOf });
}

const gateways = (region: string, count: number) =>
  Array.from({ length: count }, (_, i) => nodeOf(`${region}-${i}`, "gateway", region));
const ids = ({ nodes }: Placed) => nodes.map(({ nodeId }) => nodeId);
const tripId = (region: string, seed: number) => newTripId(region, seed, new Uint8Array(10));

describe("placement of a party", () => {
  test("goes by its place, near a border by its last region, without a place by its last region or the default", async () => {
    const placement = await placementOver({ n1: gateways("n1", 3), s1: gateways("s1", 3) });
    const region = (
      ...args: Parameters<typeof placement.ofParty> extends [unknown, ...infer Rest] ? Rest : never
    ) => placement.ofParty(dana, ...args).region;
    expect(region(NORTH, "")).toBe("n1");
    expect(region(SOUTH, "n1")).toBe("s1");
    expect(region({ latDeg: 57.501, lonDeg: 11 }, "s1")).toBe("s1");
    expect(region(undefined, "n1")).toBe("n1");
    expect(region(undefined, "")).toBe("s1");
    expect(region(undefined, "gone")).toBe("s1");
  });

  test("names gateways of the region, others only to fill up, three at most and each once", async () => {
    const everywhere = [...gateways("n1", 2), ...gateways("s1", 5)];
    const placement = await placementOver({ n1: everywhere, s1: everywhere });
    const north = ids(placement.ofParty(dana, NORTH, ""));
    expect(north.slice(0, 2).toSorted()).toEqual(["n1-0", "n1-1"]);
    expect(north[2]).toMatch(/^s1/);
    const south = ids(placement.ofParty(dana, SOUTH, ""));
    expect(south).toHaveLength(3);
    expect(south.every((id) => id.startsWith("s1"))).toBe(true);
  });

  test("sends a party whose region has no gateway of its own to another region's", async () => {
    const placement = await placementOver({ n1: gateways("s1", 2), s1: gateways("s1", 2) });
    expect(placement.ofParty(dana, NORTH, "")).toMatchObject({ region: "n1" });
    expect(ids(placement.ofParty(dana, NORTH, ""))).toHaveLength(2);
  });

  test("tells a driver from a rider of the same id, and spreads parties over the gateways", async () => {
    const placement = await placementOver({ s1: gateways("s1", 4) });
    const firsts = Array.from(
      { length: 200 },
      (_, i) => ids(placement.ofParty({ kind: "driver", id: `d${i}` }, undefined, ""))[0],
    );
    expect(new Set(firsts).size).toBe(4);
    const riders = firsts.map(
      (_, i) => ids(placement.ofParty({ kind: "rider", id: `d${i}` }, undefined, ""))[0],
    );
    expect(riders).not.toEqual(firsts);
  });

  test("says so when no gateway lives, whatever edges do", async () => {
    const placement = await placementOver({ s1: [nodeOf("e1", "edge", "s1")] });
    expect(() => placement.ofParty(dana, SOUTH, "")).toThrow(
      expect.objectContaining({ code: "NO_LIVE_NODE" }),
    );
  });
});

describe("placement of a trip", () => {
  test("is the same for everybody, at an edge of the region that its id names", async () => {
    const edges = [nodeOf("n", "edge", "n1"), nodeOf("s", "edge", "s1"), nodeOf("t", "edge", "s1")];
    const [one, other] = [
      await placementOver({ n1: edges, s1: edges }),
      await placementOver({ s1: edges.toReversed(), n1: edges.toReversed() }),
    ];
    for (let seed = 0; seed < 50; seed++) {
      expect(ids(one.ofTrip(tripId("n1", seed)))[0]).toBe("n");
      const south = one.ofTrip(tripId("s1", seed));
      expect(south.nodes[0].region).toBe("s1");
      expect(other.ofTrip(tripId("s1", seed))).toEqual(south);
    }
  });

  test("is found for a region that nobody knows too, and refused for what is no trip id", async () => {
    const placement = await placementOver({ s1: [nodeOf("s", "edge", "s1")] });
    expect(placement.ofTrip(tripId("gone1", 1))).toMatchObject({ region: "gone1", nodes: [{ nodeId: "s" }] });
    expect(() => placement.ofTrip("trip")).toThrow(RangeError);
  });
});
