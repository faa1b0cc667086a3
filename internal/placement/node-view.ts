import type { Limits } from "../core/limits.ts";
import { type LiveNode, type NodeKind, nodeKey } from "./nodes.ts";

type Entry = { node: LiveNode; heardAtMs: number };

/**
 * What one process has heard of the nodes. Silence is measured from the moment when anything was heard last: while
 * nothing at all comes (the registry is away, or this process slept) nobody is declared dead, and once something comes
 * again everybody has a whole period to be heard.
 */
export class NodeView {
  readonly #limits: Pick<Limits, "nodeSilentMs" | "maxNodesPerRegion">;
  readonly #entries = new Map<string, Entry>();
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(limits: Pick<Limits, "nodeSilentMs" | "maxNodesPerRegion">) {
    this.#limits = limits;
  }

  /** When anything was heard last, as told; -Infinity before. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** The registry was heard; the times must not go back. */
  heard(nowMs: number): void {
    const { nodeSilentMs } = this.#limits;
    if (nowMs - this.#heardAtMs > nodeSilentMs)
      for (const entry of this.#entries.values()) entry.heardAtMs = Math.max(entry.heardAtMs, nowMs);
    this.#heardAtMs = nowMs;
    if (nowMs - this.#sweptAtMs < nodeSilentMs) return;
    this.#sweptAtMs = nowMs;
    for (const [key, entry] of this.#entries) if (!this.#isLive(entry)) this.#entries.delete(key);
  }

  /** The node shows that it lives. */
  add(node: LiveNode, nowMs: number): void {
    this.heard(nowMs);
    const key = nodeKey(node);
    if (this.#entries.has(key) || this.#entries.size < this.#limits.maxNodesPerRegion)
      this.#entries.set(key, { node, heardAtMs: nowMs });
  }

  /** A node of this process: it lives until it is removed, whatever is heard. Others make room for it. */
  pin(node: LiveNode): void {
    this.#entries.set(nodeKey(node), { node, heardAtMs: Number.POSITIVE_INFINITY });
  }

  /** The node is gone. */
  remove(key: string): void {
    this.#entries.delete(key);
  }

  live(kind: NodeKind): LiveNode[] {
    const nodes: LiveNode[] = [];
    for (const entry of this.#entries.values())
      if (entry.node.kind === kind && this.#isLive(entry)) nodes.push(entry.node);
    return nodes;
  }

  #isLive({ heardAtMs }: Entry): boolean {
    return this.#heardAtMs - heardAtMs <= this.#limits.nodeSilentMs || heardAtMs === Number.POSITIVE_INFINITY;
  }
}
