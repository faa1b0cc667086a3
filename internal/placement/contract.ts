import { describe, expect, test } from "vitest";
import type { LiveNode, NodeKind, Nodes } from "./nodes.ts";

/** One process's view of the registry. */
export type NodesProcess = {
  nodes: Nodes;
  /** The process is gone without a word. Absent where nobody can outlive another. */
  crash?(): Promise<void>;
};

/** How the suite gets at one engine of Nodes: every harness is an empty registry of its own. */
export type NodesHarness = AsyncDisposable & {
  /** A process that sees the registry, closed with the harness. At most `maxNodes` nodes are seen. */
  open(maxNodes?: number): Promise<NodesProcess>;
};

/** What an engine does not promise, and why. */
export type Deviation = { reason: string; tests: readonly string[] };

const CRASH = "a node that dies without a word is gone after a while, and nobody else is";
const BOUND = "further nodes than the bound are not seen";

/** For tests: a node with the fewest words. */
export function nodeOf(nodeId: string, kind: NodeKind = "edge", region = "se1"): LiveNode {
  const grpcAddress = kind === "gateway" ? `${nodeId}.invalid:50051` : "";
  return { nodeId, kind, region, httpUrl: `http://${nodeId}.invalid:8080`, grpcAddress };
}

/** For tests: waits until the view holds exactly these nodes. */
export async function untilLive(nodes: Nodes, kind: NodeKind, ...nodeIds: string[]): Promise<void> {
  const wanted = nodeIds.toSorted().join();
  while (idsOf(nodes, kind) !== wanted) await new Promise((resolve) => setTimeout(resolve, 10));
}

function idsOf(nodes: Nodes, kind: NodeKind): string {
  return nodes
    .live(kind)
    .map(({ nodeId }) => nodeId)
    .toSorted()
    .join();
}

/** The promises of the port Nodes as tests. */
export function nodesContract(
  name: string,
  start: () => Promise<NodesHarness>,
  deviations: readonly Deviation[] = [],
): void {
  const promise = (title: string, run: () => Promise<void>) => {
    const reason = deviations.find(({ tests }) => tests.includes(title))?.reason;
    if (reason === undefined) test(title, run);
    else test.skip(`${title} (${reason})`, run);
  };

  describe(`${name} keep the promises of Nodes`, () => {
    promise("what is announced is seen whole, by its own process at once, by others soon", async () => {
      await using harness = await start();
      const [one, other] = [await harness.open(), await harness.open()];
      expect(one.nodes.live("edge")).toEqual([]);
      await one.nodes.announce(nodeOf("n1"));
      await one.nodes.announce(nodeOf("n1", "gateway"));
      expect(one.nodes.live("edge")).toEqual([nodeOf("n1")]);
      expect(one.nodes.live("gateway")).toEqual([nodeOf("n1", "gateway")]);
      await untilLive(other.nodes, "edge", "n1");
      await untilLive(other.nodes, "gateway", "n1");
      expect(other.nodes.live("edge")).toEqual([nodeOf("n1")]);
      const late = await harness.open();
      await untilLive(late.nodes, "gateway", "n1");
    });

    promise("a node that ends in order is gone, one kind at a time, and may come back", async () => {
      await using harness = await start();
      const [one, other] = [await harness.open(), await harness.open()];
      const edge = await one.nodes.announce(nodeOf("n1"));
      await one.nodes.announce(nodeOf("n1", "gateway"));
      await other.nodes.announce(nodeOf("n2"));
      await untilLive(other.nodes, "edge", "n1", "n2");
      await untilLive(other.nodes, "gateway", "n1");
      await edge[Symbol.asyncDispose]();
      await edge[Symbol.asyncDispose]();
      expect(one.nodes.live("edge").map(({ nodeId }) => nodeId)).not.toContain("n1");
      await untilLive(other.nodes, "edge", "n2");
      expect(other.nodes.live("gateway")).toEqual([nodeOf("n1", "gateway")]);
      await one.nodes.announce({ ...nodeOf("n1"), httpUrl: "http://elsewhere.invalid" });
      await edge[Symbol.asyncDispose]();
      await untilLive(other.nodes, "edge", "n1", "n2");
      expect(other.nodes.live("edge")).toContainEqual({
        ...nodeOf("n1"),
        httpUrl: "http://elsewhere.invalid",
      });
    });

    promise("a registry that is closed takes its nodes with it", async () => {
      await using harness = await start();
      const [one, other] = [await harness.open(), await harness.open()];
      await one.nodes.announce(nodeOf("n1"));
      await untilLive(other.nodes, "edge", "n1");
      await one.nodes[Symbol.asyncDispose]();
      await one.nodes[Symbol.asyncDispose]();
      await untilLive(other.nodes, "edge");
    });

    promise(CRASH, async () => {
      await using harness = await start();
      const [one, second, other] = [await harness.open(), await harness.open(), await harness.open()];
      await one.nodes.announce(nodeOf("n1"));
      await second.nodes.announce(nodeOf("n2"));
      await untilLive(other.nodes, "edge", "n1", "n2");
      await one.crash?.();
      await untilLive(other.nodes, "edge", "n2");
      await untilLive(second.nodes, "edge", "n2");
    });

    promise(BOUND, async () => {
      await using harness = await start();
      const [one, other] = [await harness.open(), await harness.open(2)];
      const announced = await Promise.all(["n1", "n2", "n3"].map((id) => one.nodes.announce(nodeOf(id))));
      while (other.nodes.live("edge").length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
      const seen = other.nodes.live("edge").map(({ nodeId }) => nodeId);
      expect(seen).toHaveLength(2);
      const unseen = ["n1", "n2", "n3"].filter((id) => !seen.includes(id));
      const leaving = ["n1", "n2", "n3"].indexOf(seen[0]!);
      await announced[leaving]![Symbol.asyncDispose]();
      await untilLive(other.nodes, "edge", seen[1]!, ...unseen);
    });

    promise("nodes out of their ranges are refused", async () => {
      await using harness = await start();
      const { nodes } = await harness.open();
      for (const odd of [
        nodeOf("n 1"),
        nodeOf(".n1"),
        nodeOf("n..1"),
        nodeOf("n".repeat(129)),
        nodeOf(""),
        { ...nodeOf("n1"), httpUrl: "" },
        { ...nodeOf("n1"), grpcAddress: "x".repeat(257) },
      ])
        await expect(nodes.announce(odd)).rejects.toThrow(RangeError);
      expect(nodes.live("edge")).toEqual([]);
      await nodes.announce(nodeOf("host-1.example.com-4711-a1b2c3"));
    });
  });
}

/** The deviations of an engine that lives in one process. */
export const ONE_PROCESS: readonly Deviation[] = [
  { reason: "nobody in the only process can fall silent alone", tests: [CRASH] },
  { reason: "the only process announces itself once per kind", tests: [BOUND] },
];
