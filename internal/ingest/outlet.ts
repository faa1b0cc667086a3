import { asBimrideError } from "../core/errors.ts";
import { type Clock, sleep } from "../core/time.ts";
import type { EventLog } from "../eventlog/log.ts";
import { Drain } from "./spool/drain.ts";
import type { Spool } from "./spool/spool.ts";

/** What became of an entry: the log has it, or this gateway's own disk, fsynced. */
export type Fate = { in: "log"; sequence: number } | { in: "spool"; position: number };

export type OutletOptions = {
  log: EventLog;
  /** Where entries go while the log is away; undefined: they are refused then. */
  spool: Spool | undefined;
  ioClock: Clock;
  /** Spooled entries reached the log, or all did. */
  onDrained(): void;
};

type Item = {
  body: Uint8Array;
  /** The log was asked and has not answered; it has it or refused it for good; it is to be spooled. */
  state: "asked" | "settled" | "diverted";
  resolve(fate: Fate): void;
  reject(error: unknown): void;
};

const CLOSE_POLL_MS = 20;
/** Pause after the spool could not be read. */
const REREAD_MS = 1_000;
/** More came while the last was drained: whatever it is, it gets its turn of the event loop first. */
const TURN_MS = 1;

/**
 * Where the entries of one region go. To the log; from its first LOG_UNAVAILABLE or LOG_FULL on to the spool, all of
 * them, until the spool is empty again, so that the order of a partition is kept. An entry follows those of its partition
 * that the log has not answered for: only then is it known whether they go before it into the spool.
 */
export class Outlet {
  readonly #options: OutletOptions;
  /** Entries of a partition without an outcome, oldest first. Bounded by what the Appender lets wait. */
  readonly #lanes = new Map<number, Item[]>();
  readonly #stop = new AbortController();
  readonly #drain: Drain | undefined;
  #draining: Promise<void> | undefined;
  /** Entries on their way into the spool. */
  #diverted = 0;
  #awaySinceMs: number | undefined;
  #wake: () => void = () => {};

  constructor(options: OutletOptions) {
    this.#options = options;
    const { spool, ioClock, log, onDrained } = options;
    if (!spool) return;
    const append = (partition: number, body: Uint8Array) => log.append(partition, body);
    this.#drain = new Drain({ spool, ioClock, append, onProgress: onDrained });
    if (!spool.isEmpty) this.#goAway();
  }

  get region(): string {
    return this.#options.log.region;
  }

  get partitions(): number {
    return this.#options.log.partitions;
  }

  /** True while entries go to the spool. */
  get isAway(): boolean {
    return this.#awaySinceMs !== undefined;
  }

  /** Undefined while entries are taken, by the log or by the spool; else why not. */
  async health(): Promise<Error | undefined> {
    const trouble = await this.#options.log.health();
    return trouble && this.#options.spool ? this.#options.spool.trouble : trouble;
  }

  /** What became of entries that went to the spool, see {@link Spool.fateOf}. */
  spooled(first: number, last: number): "waiting" | "drained" | "lost" {
    return this.#options.spool?.fateOf(first, last) ?? "lost";
  }

  /**
   * Resolves once the log or the spool has the entry durably; rejects with the log's error, or, while the log is away,
   * with LOG_FULL or LOG_UNAVAILABLE when the spool can't take it either.
   */
  append(partition: number, body: Uint8Array): Promise<Fate> {
    const { log, spool } = this.#options;
    if (!spool) return log.append(partition, body).then((sequence) => ({ in: "log", sequence }));
    return new Promise((resolve, reject) => {
      const item: Item = { body, state: this.isAway ? "diverted" : "asked", resolve, reject };
      const lane = this.#lanes.get(partition);
      if (lane) lane.push(item);
      else this.#lanes.set(partition, [item]);
      if (item.state === "asked") this.#ask(partition, item);
      else {
        this.#diverted++;
        this.#advance(partition, spool);
      }
    });
  }

  /**
   * Ends the drain; waits for it to get done first, as long as the log takes entries, up to the time given.
   * Entries must not be appended any more.
   */
  async close(patienceMs: number): Promise<void> {
    const { ioClock } = this.#options;
    const untilMs = ioClock.monotonic() + patienceMs;
    while (this.#draining && this.#drain?.logWorks && ioClock.monotonic() < untilMs)
      await sleep(ioClock, CLOSE_POLL_MS);
    this.#stop.abort();
    this.#wake();
    await this.#draining;
  }

  #ask(partition: number, item: Item): void {
    const { log, spool } = this.#options;
    log.append(partition, item.body).then(
      (sequence) => {
        item.state = "settled";
        item.resolve({ in: "log", sequence });
        if (spool) this.#advance(partition, spool);
      },
      (cause: unknown) => {
        const { code } = asBimrideError(cause);
        if (!spool || (code !== "LOG_UNAVAILABLE" && code !== "LOG_FULL")) {
          item.state = "settled";
          item.reject(cause);
        } else {
          item.state = "diverted";
          this.#diverted++;
          if (!this.isAway) {
            spool.report({ kind: "away", code, cause });
            this.#goAway();
          }
        }
        if (spool) this.#advance(partition, spool);
      },
    );
  }

  /** Lets go of what has its outcome at the lane's head, and hands to the spool what is to go there, in order. */
  #advance(partition: number, spool: Spool): void {
    const lane = this.#lanes.get(partition);
    if (!lane) return;
    while (lane[0] && lane[0].state !== "asked") {
      const item = lane.shift() as Item;
      if (item.state === "diverted") this.#spool(partition, item, spool);
    }
    if (lane.length === 0) this.#lanes.delete(partition);
  }

  #spool(partition: number, item: Item, spool: Spool): void {
    spool
      .write(partition, item.body)
      .then((position) => item.resolve({ in: "spool", position }), item.reject)
      .finally(() => {
        this.#diverted--;
        this.#wake();
      });
  }

  #goAway(): void {
    this.#awaySinceMs = this.#options.ioClock.monotonic();
    const draining = this.#drainAll().finally(() => {
      if (this.#draining === draining) this.#draining = undefined;
    });
    this.#draining = draining;
  }

  async #drainAll(): Promise<void> {
    const { spool, ioClock, onDrained } = this.#options;
    if (!spool || !this.#drain) return;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#drain.run(signal);
      } catch (cause) {
        spool.report({ kind: "drainRefused", code: asBimrideError(cause).code, cause });
        await sleep(ioClock, REREAD_MS, signal);
      }
      if (!spool.isEmpty) {
        await sleep(ioClock, TURN_MS, signal);
        continue;
      }
      if (this.#diverted === 0) {
        spool.report({ kind: "back", awayMs: ioClock.monotonic() - (this.#awaySinceMs ?? 0) });
        this.#awaySinceMs = undefined;
        onDrained();
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
