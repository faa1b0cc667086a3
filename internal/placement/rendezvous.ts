/**
 * Highest random weight hashing (D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998):
 * every node gets a weight out of its id and the key, and the heaviest has the key. Whoever knows the same nodes chooses
 * the same one without asking anybody; a node that leaves gives away only its own keys, each to the next in its order,
 * and one that joins takes its even share.
 * @returns at most `count` of the nodes, the heaviest first
 */
export function ranked<Node extends { nodeId: string }>(
  nodes: readonly Node[],
  key: string,
  count: number,
): Node[] {
  return nodes
    .map((node) => ({ node, weight: weightOf(node.nodeId, key) }))
    .sort((a, b) => b.weight - a.weight || (a.node.nodeId < b.node.nodeId ? -1 : 1))
    .slice(0, count)
    .map(({ node }) => node);
}

/** FNV-1a over both, finished as in MurmurHash3 so that similar ids get weights that have nothing in common. */
function weightOf(nodeId: string, key: string): number {
  let hash = 0x811c9dc5;
  for (const text of [key, "\n", nodeId])
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
