import type { NatsLink } from "../../nats/link.ts";

/** Bytes published after which the server is asked whether it has them. */
const ASK_BYTES = 64 << 10;
/** Bytes that may be on their way to the server; more is dropped. */
const MAX_ON_THE_WAY_BYTES = 8 << 20;
/** What a message costs besides its body. */
const OVERHEAD_BYTES = 64;

/**
 * Publishes at most once, without a queue: what is said while the connection is lost, or while the server takes nothing,
 * is dropped. A server answers a ping after all that was sent before it, so answers tell how much is on its way.
 */
export class Outlet {
  readonly #link: NatsLink;
  readonly #onDrop: () => void;
  #onTheWayBytes = 0;
  #asking = false;

  constructor(link: NatsLink, onDrop: () => void) {
    this.#link = link;
    this.#onDrop = onDrop;
  }

  publish(subject: string, body: Uint8Array): void {
    if (!this.#link.connected || this.#onTheWayBytes > MAX_ON_THE_WAY_BYTES) {
      this.#onDrop();
      return;
    }
    this.#link.connection.publish(subject, body);
    this.#onTheWayBytes += body.length + OVERHEAD_BYTES;
    if (!this.#asking && this.#onTheWayBytes >= ASK_BYTES) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    const bytes = this.#onTheWayBytes;
    try {
      await this.#link.connection.flush();
      this.#onTheWayBytes -= bytes;
    } catch {
      // The connection broke, and what was on its way with it.
      this.#onTheWayBytes = 0;
    } finally {
      this.#asking = false;
    }
  }
}
