import type { Clock } from "../../core/time.ts";
import type { Lease } from "../lease.ts";
import type { Holding } from "./decide.ts";
import type { Term } from "./term.ts";

/** A partition that this process holds, from its claim until it is lost or given back. */
export class Grant {
  /** What the listeners get; the same object as long as the epoch is the same. */
  readonly lease: Lease;
  /** Of the partition's key when this process wrote it. */
  revision: number;
  /** The membership that the servers know as its owner. */
  term: Term;
  /** On its way to somebody else: valid, but not in the list any more. */
  leaving = false;
  #over = false;
  readonly #clock: Pick<Clock, "monotonic">;

  constructor(
    partition: number,
    epoch: number,
    revision: number,
    term: Term,
    clock: Pick<Clock, "monotonic">,
  ) {
    this.lease = { partition, epoch, valid: () => this.valid() };
    this.revision = revision;
    this.term = term;
    this.#clock = clock;
  }

  valid(): boolean {
    return !this.#over && this.term.isValid(this.#clock.monotonic());
  }

  /** Never valid again from now on. */
  end(): void {
    this.#over = true;
  }

  /** @param term the present membership */
  holding(term: Term): Holding {
    return { standing: this.#standing(term), epoch: this.lease.epoch, revision: this.revision };
  }

  #standing(term: Term): Holding["standing"] {
    if (this.leaving) return "leaving";
    if (this.term === term) return "held";
    return this.valid() ? "carried" : "suspended";
  }
}
