import { checkNode, type LiveNode, type Nodes, nodeKey } from "../nodes.ts";

/**
 * The nodes of one process that is all there is. Nobody in it can fall silent alone, so a node lives until it ends.
 * Its bound is the process's own: it announces itself once per kind.
 */
export function localNodes(): Nodes {
  const nodes = new Map<string, LiveNode>();
  return {
    async announce(node) {
      checkNode(node);
      const key = nodeKey(node);
      nodes.set(key, node);
      return {
        async [Symbol.asyncDispose]() {
          if (nodes.get(key) === node) nodes.delete(key);
        },
      };
    },
    live: (kind) => [...nodes.values()].filter((node) => node.kind === kind),
    async [Symbol.asyncDispose]() {
      nodes.clear();
    },
  };
}
