import type { KV } from "@nats-io/kv";
import type { Clock } from "../../core/time.ts";
import { BucketWatch } from "../../nats/bucket-watch.ts";
import type { LinkLoss } from "../../nats/link-loss.ts";
import { type KeyChange, LeaseView } from "./lease-view.ts";
import type { Term } from "./term.ts";

export type LeaseWatchOptions = {
  clock: Pick<Clock, "monotonic">;
  loss: LinkLoss;
  /** Own renewals that are not seen for so long: the others' would not be seen either. */
  maxGapMs: number;
  /** The view changed. */
  changed: () => void;
  /** The watch broke. */
  failed: (cause: unknown) => void;
};

/** Keeps a view of the bucket up to date, as the member of a term sees it. */
export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  readonly #watch = new BucketWatch();
  #view: LeaseView | undefined;
  #stopped = false;

  constructor(options: LeaseWatchOptions) {
    this.#options = options;
  }

  /** What is seen of the bucket; undefined before it was watched first. */
  get view(): LeaseView | undefined {
    return this.#view;
  }

  /** Begins a new view, of that bucket and the term's generation. Rejects when the bucket can't be watched. */
  async begin(bucket: KV, term: Term): Promise<void> {
    const { clock, loss, changed, failed, maxGapMs } = this.#options;
    this.#watch.stop();
    const { generation, member: self, revision: joinedRevision } = term;
    const view = new LeaseView({ generation, self, joinedRevision, maxGapMs });
    view.echoAtMs = clock.monotonic();
    this.#view = view;
    const watching = bucket.watch({ key: `${generation}.>` });
    const entries = await loss.orLost(watching).catch((cause) => {
      // Should it begin after all, nobody listens.
      void watching.then((late) => late.stop()).catch(() => {});
      throw cause;
    });
    if (this.#view !== view || this.#stopped) return entries.stop();
    this.#watch.follow(
      entries,
      ({ key, revision, operation, value }) => {
        const text = operation === "PUT" ? Buffer.from(value).toString() : undefined;
        view.apply({ key, revision, value: text }, clock.monotonic());
        changed();
      },
      failed,
    );
  }

  /** Takes in what this process itself has written, before it comes back. */
  wrote(change: KeyChange): void {
    this.#view?.apply(change, this.#options.clock.monotonic());
  }

  /** Ends it for good; the view stays as it is. */
  stop(): void {
    this.#stopped = true;
    this.#watch.stop();
  }
}
