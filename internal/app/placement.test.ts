import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { nodeOf } from "../placement/contract.ts";
import { localNodes } from "../placement/local/nodes.ts";
import type { Nodes } from "../placement/nodes.ts";
import type { Parts } from "./parts.ts";
import { announceNode, placementOf } from "./placement.ts";
import type { Role } from "./roles.ts";

const HTTP = "http://127.0.0.1:8080";
const GRPC = "127.0.0.1:50051";

function partsOf(nodes: ReadonlyMap<string, Nodes>, settings = {}) {
  return {
    nodes,
    nodeId: "n1",
    settings: { httpPublicUrl: "", grpcPublicAddress: "", ...settings } as Parts["settings"],
    engines: { log: { region: "se1" } } as Parts["engines"],
  };
}

const roles = (...names: Role[]) => new Set(names);

describe("a process among the nodes", () => {
  test("stands in each region's registry as what it is, and is gone from all when it goes", async () => {
    const [se1, no1] = [localNodes(), localNodes()];
    const parts = partsOf(
      new Map([
        ["se1", se1],
        ["no1", no1],
      ]),
    );
    const shown = await announceNode(parts, roles("gateway", "edge", "processor"), HTTP, GRPC);
    for (const registry of [se1, no1]) {
      const place = { nodeId: "n1", region: "se1", httpUrl: HTTP };
      expect(registry.live("gateway")).toEqual([{ ...place, kind: "gateway", grpcAddress: GRPC }]);
      expect(registry.live("edge")).toEqual([{ ...place, kind: "edge", grpcAddress: "" }]);
    }
    await shown[Symbol.asyncDispose]();
    for (const registry of [se1, no1])
      expect([...registry.live("gateway"), ...registry.live("edge")]).toEqual([]);
  });

  test("names its public addresses, else where it listens, under the machine's name where that is everywhere", async () => {
    const announced = async (settings: object, httpUrl: string, grpcAddress: string) => {
      const nodes = localNodes();
      await announceNode(
        partsOf(new Map([["se1", nodes]]), settings),
        roles("gateway"),
        httpUrl,
        grpcAddress,
      );
      const [node] = nodes.live("gateway");
      return [node!.httpUrl, node!.grpcAddress];
    };
    const set = { httpPublicUrl: "https://g1.example.com", grpcPublicAddress: "g1.example.com:443" };
    expect(await announced(set, HTTP, GRPC)).toEqual(["https://g1.example.com", "g1.example.com:443"]);
    expect(await announced({}, HTTP, GRPC)).toEqual([HTTP, GRPC]);
    const [everywhere, everywhere6] = [
      ["http://0.0.0.0:80", "0.0.0.0:5"],
      ["http://[::]:80", "[::]:5"],
    ] as const;
    for (const [httpUrl, grpcAddress] of [everywhere, everywhere6] as const)
      expect(await announced({}, httpUrl!, grpcAddress!)).toEqual([
        `http://${hostname()}:80`,
        `${hostname()}:5`,
      ]);
  });

  test("is no place for clients when it lets nobody in", async () => {
    const nodes = localNodes();
    await announceNode(partsOf(new Map([["se1", nodes]])), roles("processor"), HTTP, "");
    expect([...nodes.live("gateway"), ...nodes.live("edge")]).toEqual([]);
  });

  test("tells clients where to go by what it knows", async () => {
    const nodes = localNodes();
    await nodes.announce(nodeOf("g9", "gateway", "se1"));
    const placement = placementOf({
      nodes: new Map([["se1", nodes]]),
      regions: { all: [], defaultName: "se1" },
      regionOf: () => "se1",
    });
    expect(placement.ofParty({ kind: "driver", id: "dana" }, undefined, "").nodes[0].nodeId).toBe("g9");
  });
});
