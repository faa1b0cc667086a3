import { BimrideError } from "../core/errors.ts";
import type { Ack } from "./messages.ts";
import type { SessionState } from "./session-state.ts";

/**
 * How a batch ended. `ack`: every verdict in it is final, or the client's turn again (RATE_LIMITED); what was BUFFERED at
 * first is in the log by now. `error`: nothing is known to be taken; a retryable one invites the same batch again.
 */
export type BatchOutcome = { ack: Ack; error?: never } | { ack?: never; error: BimrideError };

/** Told once how a batch ended; never, when its stream ends before. */
export type OnSettled = (outcome: BatchOutcome) => void;

type Held = { ack: Ack; buffered: number[]; settled: OnSettled };

/** Batches with fixes that wait in the spool. As many as a transport leaves unsettled. */
export class HeldBatches {
  #held: Held[] = [];

  /** Tells how the batch ended, at once or when its last buffered fix has left the spool. */
  settle(ack: Ack, state: SessionState, settled: OnSettled): void {
    const buffered = ack.verdicts.flatMap(({ seq, code }) => (code === "BUFFERED" ? [seq] : []));
    if (buffered.length === 0) settled({ ack });
    else this.#held.push({ ack, buffered, settled });
    this.look(state);
  }

  /** To be called when the spool may have drained. */
  look({ buffered, durable }: SessionState): void {
    if (this.#held.length === 0) return;
    const over = this.#held.filter((one) => !one.buffered.some((seq) => buffered.has(seq)));
    if (over.length === 0) return;
    this.#held = this.#held.filter((one) => !over.includes(one));
    for (const one of over) {
      // What is in neither was lost with the disk, or forgotten: the client has it still.
      const isDurable = one.buffered.every((seq) => durable.has(seq));
      one.settled(isDurable ? { ack: one.ack } : { error: new BimrideError("LOG_UNAVAILABLE") });
    }
  }
}
