/** What a node is to clients: where fixes go in, or where trips are watched. */
export type NodeKind = "gateway" | "edge";

/** A node that clients can be sent to. Never a secret: clients read it. */
export type LiveNode = {
  /** Names the process, the same for both kinds that it may be: 1 to 128 of A-Z a-z 0-9 . _ -, no dot at either end. */
  nodeId: string;
  kind: NodeKind;
  /** Where it is at home: clients of that region are sent to it first. */
  region: string;
  /** Origin under which clients reach its HTTP port, at most 256 characters. */
  httpUrl: string;
  /** host:port under which drivers reach its gRPC port, at most 256 characters; empty where it has none. */
  grpcAddress: string;
};

/**
 * PORT: which nodes live. One registry per region, or one for all.
 *
 * Implementations must ensure
 * - a node is seen by every view of the registry soon after it was announced, and by its own process at once;
 * - a node that ends in order is gone from every view at once, one that dies once it was silent for nodeSilentMs, on the
 *   observer's own clock;
 * - reading asks nobody: `live` answers from a view that is kept up to date;
 * - a registry that lost its content is filled again by the nodes' own heartbeats; while it can't be reached the last
 *   view stands, for a node that is wrongly listed costs a client one try, and an empty list would cost all of them;
 * - bounds: maxNodesPerRegion nodes of both kinds together; further ones are not seen.
 */
export interface Nodes extends AsyncDisposable {
  /**
   * Shows from now on that the node lives, until the result is disposed: then it is gone at once. Never rejects on
   * account of a registry that is away: the next heartbeat shows it. Throws a RangeError for a node out of its ranges.
   */
  announce(node: LiveNode): Promise<AsyncDisposable>;
  /** The nodes of the kind that live, in no particular order. */
  live(kind: NodeKind): readonly LiveNode[];
}

const NODE_ID = /^[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?$/;
const MAX_ADDRESS_LENGTH = 256;

/** Throws a RangeError when a field is out of the range that {@link LiveNode} tells. */
export function checkNode({ nodeId, httpUrl, grpcAddress }: LiveNode): void {
  if (!NODE_ID.test(nodeId) || nodeId.includes("..")) throw new RangeError("not a node id");
  if (httpUrl === "" || httpUrl.length > MAX_ADDRESS_LENGTH || grpcAddress.length > MAX_ADDRESS_LENGTH)
    throw new RangeError("not addresses of a node");
}

/** The key of a node in a registry. */
export function nodeKey({ kind, nodeId }: Pick<LiveNode, "kind" | "nodeId">): string {
  return `${kind}.${nodeId}`;
}
