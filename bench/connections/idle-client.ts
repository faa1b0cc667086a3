import type { Link, LinkTarget, OpenLink } from "./link.ts";

/** Full jitter between tries: at first up to so long, then twice as long each time, up to a bound. */
const RETRY_FROM_MS = 1_000;
const RETRY_TO_MS = 8_000;
/** An attempt that has not come to stand after so long is given up. */
const OPEN_PATIENCE_MS = 15_000;

/**
 * A client that keeps one connection open and does nothing on it, and comes back when it breaks. Fixes that it is asked to
 * send are kept until they are acked and sent again on the next connection, as a driver app does.
 */
export class IdleClient {
  readonly #target: LinkTarget;
  readonly #open: OpenLink;
  #link: Link | undefined;
  #tries = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #nextSeq = 0;
  readonly #unacked = new Set<number>();
  /** Fixes that the server called durable. */
  readonly acked: number[] = [];
  isOpen = false;
  beats = 0;
  /** Attempts that failed or connections that broke. */
  breaks = 0;

  constructor(target: LinkTarget, open: OpenLink) {
    this.#target = target;
    this.#open = open;
  }

  get id(): string {
    return this.#target.id;
  }

  get unacked(): number {
    return this.#unacked.size;
  }

  connect(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => link.close(), OPEN_PATIENCE_MS);
    const link: Link = this.#open(this.#target, {
      opened: () => this.#opened(link),
      acked: (seqs) => {
        for (const seq of seqs) if (this.#unacked.delete(seq)) this.acked.push(seq);
      },
      beat: () => {
        this.beats++;
      },
      closed: () => this.#closed(),
    });
    this.#link = link;
  }

  /** One fix more, now if the connection stands, else on the next one. */
  sendFix(): void {
    const seq = this.#nextSeq++;
    this.#unacked.add(seq);
    if (this.isOpen) this.#link?.send([seq]);
  }

  /** What a driver app does so that its stream is not taken for idle: its last durable fix again, which changes nothing. */
  heartbeat(): void {
    const last = this.acked.at(-1);
    if (this.isOpen && last !== undefined) this.#link?.send([last]);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#link?.close();
  }

  #opened(link: Link): void {
    clearTimeout(this.#timer);
    this.isOpen = true;
    this.#tries = 0;
    if (this.#unacked.size > 0) link.send([...this.#unacked]);
  }

  #closed(): void {
    clearTimeout(this.#timer);
    this.isOpen = false;
    this.#link = undefined;
    if (this.#stopped) return;
    this.breaks++;
    const most = Math.min(RETRY_TO_MS, RETRY_FROM_MS * 2 ** this.#tries++);
    this.#timer = setTimeout(() => this.connect(), Math.random() * most);
  }
}
