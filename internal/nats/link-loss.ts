import type { WriteResult } from "./memory-bucket.ts";

/** Asks of the servers that end with the connection: what was under way gets no answer any more. */
export class LinkLoss {
  /** Lets go of one ask each. */
  readonly #asks = new Set<(reason: Error) => void>();

  /** The answer, or a rejection as soon as the connection is lost. */
  orLost<T>(asked: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // Each takes itself out: a race against one promise that stays open would keep every ask until the connection ends.
    this.#asks.add(reject);
    asked.then(resolve, reject).finally(() => this.#asks.delete(reject));
    return promise;
  }

  /** What became of the write; unknown as soon as the connection is lost. */
  async written(writing: Promise<WriteResult>): Promise<WriteResult> {
    try {
      return await this.orLost(writing);
    } catch (cause) {
      return { outcome: "unknown", cause };
    }
  }

  /** Asks without an answer yet. */
  get waiting(): number {
    return this.#asks.size;
  }

  /** The connection is lost: everybody who waits is let go. */
  happened(): void {
    const asks = [...this.#asks];
    this.#asks.clear();
    for (const letGo of asks) letGo(new Error("the connection was lost"));
  }
}
