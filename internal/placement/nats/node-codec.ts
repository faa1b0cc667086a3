import { checkNode, type LiveNode } from "../nodes.ts";

/** A node as JSON, which an operator can read with any NATS tool. */
export function encodeNode(node: LiveNode): string {
  return JSON.stringify(node);
}

/** The node that the bytes hold; undefined when they hold none. Fields of newer versions are left out. */
export function decodeNode(bytes: Uint8Array): LiveNode | undefined {
  try {
    const { nodeId, kind, region, httpUrl, grpcAddress } = JSON.parse(Buffer.from(bytes).toString("utf8"));
    if (![nodeId, kind, region, httpUrl, grpcAddress].every((field) => typeof field === "string"))
      return undefined;
    if (kind !== "gateway" && kind !== "edge") return undefined;
    const node: LiveNode = { nodeId, kind, region, httpUrl, grpcAddress };
    checkNode(node);
    return node;
  } catch {
    // Whatever it is, it is no node; the caller tells of it.
    return undefined;
  }
}
