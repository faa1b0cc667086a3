import type { PacketStream } from "./packet-stream.ts";
import { publishAnswer } from "./packets.ts";

/** A publish of QoS 1 or 2 that waits for its answer. */
export type Unacked = { qos: 1 | 2; messageId: number; isSettled: boolean };

/** Answers publishes in the order in which they came, as MQTT demands, each when it and all before it are settled. */
export class UnackedPublishes {
  readonly #stream: PacketStream;
  /** Oldest first; the stream lets in at most maxUnackedPublishes. */
  readonly #waiting: Unacked[] = [];

  constructor(stream: PacketStream) {
    this.#stream = stream;
  }

  add(qos: 1 | 2, messageId: number): Unacked {
    const one = { qos, messageId, isSettled: false };
    this.#waiting.push(one);
    return one;
  }

  settle(one: Unacked): void {
    one.isSettled = true;
    while (this.#waiting[0]?.isSettled) {
      const { qos, messageId } = this.#waiting.shift() as Unacked;
      if (this.#stream.writable) this.#stream.write(publishAnswer(qos, messageId));
      this.#stream.acked();
    }
  }
}
