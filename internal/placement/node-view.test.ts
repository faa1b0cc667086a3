import { describe, expect, test } from "vitest";
import { nodeOf } from "./contract.ts";
import { NodeView } from "./node-view.ts";

const viewOf = (maxNodesPerRegion = 10) => new NodeView({ nodeSilentMs: 3_000, maxNodesPerRegion });
const ids = (view: NodeView) =>
  view
    .live("edge")
    .map(({ nodeId }) => nodeId)
    .toSorted();

describe("what a process knows of the nodes", () => {
  test("a node is dead once it was silent while others were heard", () => {
    const view = viewOf();
    view.add(nodeOf("a"), 0);
    for (let atMs = 0; atMs <= 3_000; atMs += 1_000) view.add(nodeOf("b"), atMs);
    expect(ids(view)).toEqual(["a", "b"]);
    view.add(nodeOf("b"), 3_001);
    expect(ids(view)).toEqual(["b"]);
    view.add(nodeOf("a"), 3_002);
    expect(ids(view)).toEqual(["a", "b"]);
  });

  test("while nothing is heard nobody dies, and afterwards everybody has a whole period to speak", () => {
    const view = viewOf();
    for (const id of ["a", "b", "c"]) view.add(nodeOf(id), 0);
    expect(ids(view)).toEqual(["a", "b", "c"]);
    view.add(nodeOf("a"), 60_000);
    expect(ids(view)).toEqual(["a", "b", "c"]);
    view.add(nodeOf("b"), 62_000);
    view.add(nodeOf("a"), 63_001);
    expect(ids(view)).toEqual(["a", "b"]);
  });

  test("a node of its own lives until it is removed", () => {
    const view = viewOf(1);
    view.pin(nodeOf("own"));
    for (let atMs = 0; atMs < 30_000; atMs += 1_000) view.heard(atMs);
    expect(ids(view)).toEqual(["own"]);
    view.remove("edge.own");
    expect(ids(view)).toEqual([]);
  });

  test("knows no more than the bound, and the dead make room", () => {
    const view = viewOf(2);
    for (const id of ["a", "b", "c"]) view.add(nodeOf(id), 0);
    expect(ids(view)).toEqual(["a", "b"]);
    for (let atMs = 1_000; atMs <= 9_000; atMs += 1_000)
      for (const id of ["b", "c"]) view.add(nodeOf(id), atMs);
    expect(ids(view)).toEqual(["b", "c"]);
  });
});
