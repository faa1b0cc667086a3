import { asBimrideError, BimrideError } from "../core/errors.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import { encodeEntry } from "../eventlog/codec.ts";
import type { LogRecord } from "../eventlog/record.ts";
import type { IngestEvents } from "./events.ts";
import type { Fate, Outlet } from "./outlet.ts";

/** Contributions per second from which on the gateway is no longer nearly idle, and from which on it is loaded. */
const BUSY_PER_SECOND = 400;
const LOADED_PER_SECOND = 4_000;
const RATE_WINDOW_MS = 250;

/** Rough sizes for the bound of an entry, bytes: a batch's head, one fix (columns, all known), any other record. */
const HEAD_BYTES = 192;
const FIX_BYTES = 30;
const OTHER_BYTES = 1_024;

type Contribution = {
  record: LogRecord;
  traceparent: string;
  resolve: (fate: Fate) => void;
  reject: (error: unknown) => void;
};
type OpenEntry = { contributions: Contribution[]; fixes: number; bytes: number };

export type AppenderDeps = {
  /** Of the region whose records these are. */
  outlet: Outlet;
  /** Clock of lingers: real also where the other clock is driven, or a standing clock would hold entries back. */
  ioClock: Clock;
  limits: Limits;
  events: IngestEvents;
};

/**
 * Coalesces the records of many sessions of a region into log entries, one open entry per partition. An entry goes to the log
 * when it is full (maxFixesPerEntry, maxEntryBytes) or when the linger is over: none but the rest of the event loop's
 * turn while the gateway is nearly idle, longer under load. The linger is one for all partitions, from the first open
 * entry on, so that what comes close together shares one commit of the log. Entries of a partition keep the order of
 * `append` calls.
 * What waits here, in the log and for the spool together is bounded by maxPendingLogBytes; more is refused with LOG_UNAVAILABLE.
 */
export class Appender {
  readonly #deps: AppenderDeps;
  readonly #open = new Map<number, OpenEntry>();
  readonly #inFlight = new Set<Promise<unknown>>();
  /** Ends the linger under way. */
  #cancelLinger: (() => void) | undefined;
  #pendingBytes = 0;
  #windowStartMs: number;
  #windowCount = 0;
  #perSecond = 0;

  constructor(deps: AppenderDeps) {
    this.#deps = deps;
    this.#windowStartMs = deps.ioClock.monotonic();
  }

  /** Partitions of the region's log. */
  get partitions(): number {
    return this.#deps.outlet.partitions;
  }

  /** What became of entries that went to the spool; see Spool.fateOf. */
  spooled(first: number, last: number): "waiting" | "drained" | "lost" {
    return this.#deps.outlet.spooled(first, last);
  }

  /** Bytes (estimated) that wait for durability now. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Resolves with what became of its entry once that is durable, in the log or, while that is away, in the gateway's
   * spool; rejects with LOG_UNAVAILABLE or LOG_FULL.
   * @param record a fixBatch holds at most maxFixesPerEntry fixes
   * @param traceparent W3C trace context of the message, or empty; the first of an entry stands for all
   */
  append(partition: number, record: LogRecord, traceparent: string): Promise<Fate> {
    const { limits } = this.#deps;
    const fixes = record.kind === "fixBatch" ? record.fixes.length : 0;
    const bytes = record.kind === "fixBatch" ? HEAD_BYTES + fixes * FIX_BYTES : OTHER_BYTES;
    if (this.#pendingBytes + bytes > limits.maxPendingLogBytes)
      return Promise.reject(new BimrideError("LOG_UNAVAILABLE", "Too much waits for the log."));
    const lingerMs = this.#lingerMs();
    let entry = this.#open.get(partition);
    if (
      entry &&
      (entry.fixes + fixes > limits.maxFixesPerEntry || entry.bytes + bytes > limits.maxEntryBytes)
    ) {
      this.#flush(partition);
      entry = undefined;
    }
    entry ??= this.#openEntry(partition);
    this.#cancelLinger ??= this.#linger(lingerMs);
    this.#pendingBytes += bytes;
    entry.fixes += fixes;
    entry.bytes += bytes;
    const { promise, resolve, reject } = Promise.withResolvers<Fate>();
    entry.contributions.push({ record, traceparent, resolve, reject });
    if (entry.fixes >= limits.maxFixesPerEntry) this.#flush(partition);
    return promise;
  }

  /** Sends what lingers and waits until all of it is settled. Never rejects. */
  async flush(): Promise<void> {
    this.#flushAll();
    await Promise.allSettled(this.#inFlight);
  }

  #openEntry(partition: number): OpenEntry {
    const entry: OpenEntry = { contributions: [], fixes: 0, bytes: 0 };
    this.#open.set(partition, entry);
    return entry;
  }

  #linger(lingerMs: number): () => void {
    const over = () => this.#flushAll();
    if (lingerMs > 0) return this.#deps.ioClock.after(lingerMs, over);
    const immediate = setImmediate(over);
    return () => clearImmediate(immediate);
  }

  #endLinger(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
  }

  #flushAll(): void {
    this.#endLinger();
    for (const partition of [...this.#open.keys()]) this.#flush(partition);
  }

  #flush(partition: number): void {
    const entry = this.#open.get(partition);
    if (!entry) return;
    this.#open.delete(partition);
    if (this.#open.size === 0) this.#endLinger();
    const { contributions } = entry;
    const sent = this.#send(partition, entry).then(
      (fate) => {
        for (const contribution of contributions) contribution.resolve(fate);
      },
      (cause: unknown) => {
        const error = asBimrideError(cause);
        for (const contribution of contributions) contribution.reject(error);
      },
    );
    const settled = sent.finally(() => {
      this.#pendingBytes -= entry.bytes;
      this.#inFlight.delete(settled);
    });
    this.#inFlight.add(settled);
  }

  async #send(partition: number, { contributions, fixes }: OpenEntry): Promise<Fate> {
    const { outlet, events } = this.#deps;
    const body = encodeEntry({
      region: outlet.region,
      traceparent: contributions.find(({ traceparent }) => traceparent !== "")?.traceparent ?? "",
      records: contributions.map(({ record }) => record),
    });
    events.entry(fixes, body.byteLength);
    return outlet.append(partition, body);
  }

  #lingerMs(): number {
    const { ioClock, limits, outlet } = this.#deps;
    const nowMs = ioClock.monotonic();
    const elapsedMs = nowMs - this.#windowStartMs;
    if (elapsedMs >= RATE_WINDOW_MS) {
      this.#perSecond = (this.#windowCount * 1_000) / elapsedMs;
      this.#windowCount = 0;
      this.#windowStartMs = nowMs;
    }
    this.#windowCount++;
    // Nobody sees these at once: fewer, larger entries let the spool drain faster than it grows.
    if (outlet.isAway) return limits.lingerLoadedMs;
    if (this.#perSecond < BUSY_PER_SECOND) return limits.lingerIdleMs;
    return this.#perSecond < LOADED_PER_SECOND ? limits.lingerMs : limits.lingerLoadedMs;
  }
}
