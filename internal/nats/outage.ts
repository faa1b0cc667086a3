import { BimrideError } from "../core/errors.ts";

/** Trouble of a store that is told once, and again only after it was over. */
export class Outage {
  readonly #message: string;
  readonly #tell: (error: BimrideError) => void;
  #isOn = false;

  /** @param message of the STORE_UNAVAILABLE that is told */
  constructor(message: string, tell: (error: BimrideError) => void) {
    this.#message = message;
    this.#tell = tell;
  }

  failed(cause: unknown): void {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#tell(new BimrideError("STORE_UNAVAILABLE", this.#message, { cause }));
  }

  over(): void {
    this.#isOn = false;
  }
}
