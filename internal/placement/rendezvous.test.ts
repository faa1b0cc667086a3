import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ranked } from "./rendezvous.ts";

const nodesOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ nodeId: `edge-${i}-${4_000 + i}-a0b1c${i}` }));
const keys = Array.from({ length: 20_000 }, (_, i) => `se1-${String(i).padStart(26, "0")}`);
const owner = (nodes: readonly { nodeId: string }[], key: string) => ranked(nodes, key, 1)[0]!.nodeId;

describe("rendezvous hashing", () => {
  test("spreads keys evenly", () => {
    for (const count of [2, 3, 7, 16]) {
      const nodes = nodesOf(count);
      const shares = new Map(nodes.map(({ nodeId }) => [nodeId, 0]));
      for (const key of keys) shares.set(owner(nodes, key), shares.get(owner(nodes, key))! + 1);
      const even = keys.length / count;
      // Five standard deviations of a fair draw.
      const slack = 5 * Math.sqrt(even * (1 - 1 / count));
      for (const share of shares.values()) expect(Math.abs(share - even)).toBeLessThan(slack);
    }
  });

  test("moves only the keys of a node that leaves, each to the next in its order, and spreads them over all", () => {
    const nodes = nodesOf(6);
    const [gone, ...rest] = nodes;
    const heirs = new Set<string>();
    for (const key of keys) {
      const [first, second] = ranked(nodes, key, 2);
      const now = owner(rest, key);
      expect(now).toBe((first === gone ? second : first)!.nodeId);
      if (first === gone) heirs.add(now);
    }
    expect(heirs.size).toBe(rest.length);
  });

  test("a node that joins takes its share and leaves the other keys where they are", () => {
    const before = nodesOf(5);
    const after = nodesOf(6);
    let moved = 0;
    for (const key of keys) {
      const [was, is] = [owner(before, key), owner(after, key)];
      if (was === is) continue;
      moved++;
      expect(is).toBe(after[5]!.nodeId);
    }
    expect(Math.abs(moved - keys.length / 6)).toBeLessThan(300);
  });

  test("is the same on every node, in whatever order it knows the others", () => {
    const ids = fc.uniqueArray(fc.stringMatching(/^[a-z0-9-]{1,12}$/), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(ids, fc.string(), fc.nat(14), (nodeIds, key, count) => {
        const nodes = nodeIds.map((nodeId) => ({ nodeId }));
        const order = ranked(nodes, key, count);
        expect(ranked(nodes.toReversed(), key, count)).toEqual(order);
        expect(order).toHaveLength(Math.min(count, nodes.length));
        expect(new Set(order).size).toBe(order.length);
      }),
    );
  });

  test("chooses nothing where nobody is", () => {
    expect(ranked([], "key", 3)).toEqual([]);
  });

  test("stays as it is: nodes of two versions must agree", () => {
    const order = ranked(nodesOf(4), "driver/dana", 4).map(({ nodeId }) => nodeId.slice(0, 6));
    expect(order).toMatchInlineSnapshot(`
      [
        "edge-2",
        "edge-0",
        "edge-1",
        "edge-3",
      ]
    `);
  });
});
