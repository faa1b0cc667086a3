import type { WriteResult } from "./memory-bucket.ts";

/** Asks of the servers that end with the connection: what was under way gets no answer any more. */
export class LinkLoss {
  #next = pending();

  /** The answer, or a rejection as soon as the connection is lost. */
  orLost<T>(asked: Promise<T>): Promise<T> {
    return Promise.race([asked, this.#next.promise]);
  }

  /** What became of the write; unknown as soon as the connection is lost. */
  async written(writing: Promise<WriteResult>): Promise<WriteResult> {
    try {
      return await this.orLost(writing);
    } catch (cause) {
      return { outcome: "unknown", cause };
    }
  }

  /** The connection is lost: everybody who waits is let go. */
  happened(): void {
    const lost = this.#next;
    this.#next = pending();
    lost.reject(new Error("the connection was lost"));
  }
}

function pending(): PromiseWithResolvers<never> {
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {}); // often nobody waits for it
  return lost;
}
