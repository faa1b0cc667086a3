import { BimrideError } from "../core/errors.ts";
import type { ActionResult, ServerMessage } from "./messages.ts";

/** Answers held back while the Welcome is being made. */
const MAX_HELD_ANSWERS = 1_000;

/** The transport's end of a stream. */
export type StreamPort = {
  /** Queues a message. The transport itself ends streams whose clients leave too much unread. */
  send(message: ServerMessage): void;
  /** Ends the stream after what was sent; undefined is a normal end. Called once. */
  end(error: BimrideError | undefined): void;
};

/** What goes out on a stream: answers that come while the Welcome is being made wait for it. */
export class Answers {
  readonly #port: StreamPort;
  #held: ServerMessage[] | undefined;

  constructor(port: StreamPort) {
    this.#port = port;
  }

  /** Sends, or holds while {@link hold} lasts. Throws CLIENT_TOO_SLOW when too much is held. */
  send(message: ServerMessage): void {
    if (!this.#held) {
      this.#port.send(message);
      return;
    }
    this.#held.push(message);
    if (this.#held.length > MAX_HELD_ANSWERS) throw new BimrideError("CLIENT_TOO_SLOW");
  }

  /** Holds what comes from now on. */
  hold(): void {
    this.#held ??= [];
  }

  /** Sends this first, then what was held. */
  release(first?: ServerMessage): void {
    if (first) this.#port.send(first);
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of held) this.#port.send(message);
  }

  /** Sends nothing more: what is held is dropped. */
  end(error: BimrideError | undefined): void {
    this.#held = undefined;
    this.#port.end(error);
  }
}

/** The message that tells of an error. @param batchId the batch at fault; 0 where none is */
export function problemOf(error: BimrideError, batchId: number): ServerMessage {
  const { code, message, field, retryable } = error;
  return { kind: "problem", code, message, field, batchId, retryable };
}

/** How an action went. */
export function resultOf(error: BimrideError | undefined): Omit<ActionResult, "actionId"> {
  return error
    ? { code: error.code, message: error.message, retryable: error.retryable }
    : { code: "", message: "", retryable: false };
}
