import type { KvWatchEntry } from "@nats-io/kv";

/** What a bucket's `watch` resolves with. */
type WatchEntries = AsyncIterable<KvWatchEntry> & { stop(): void };

/** Follows one watch of a bucket at a time: nothing comes of an earlier one once the next has begun. */
export class BucketWatch {
  #entries: WatchEntries | undefined;

  /**
   * Hands on every entry from now on, in the order of their revisions.
   * @param failed the watch broke, or `received` threw; nothing comes any more
   */
  follow(
    entries: WatchEntries,
    received: (entry: KvWatchEntry) => void,
    failed: (cause: unknown) => void,
  ): void {
    this.stop();
    this.#entries = entries;
    void (async () => {
      for await (const entry of entries) {
        // What had come before the stop may still be handed out.
        if (this.#entries !== entries) break;
        received(entry);
      }
    })().catch(failed);
  }

  stop(): void {
    this.#entries?.stop();
    this.#entries = undefined;
  }
}
