import { randomBytes } from "node:crypto";
import { createInbox, type Msg, type Subscription } from "@nats-io/transport-node";
import { BimrideError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";
import type { NatsLink } from "../../nats/link.ts";
import type { Availability } from "./availability.ts";
import { messageIdHeaders } from "./message-id.ts";
import { PendingEntries } from "./pending-entries.ts";
import { type PubAck, PubAckReader } from "./pub-ack.ts";

export type PublisherOptions = {
  link: NatsLink;
  clock: Clock;
  stream: string;
  /** By partition. */
  subjects: readonly string[];
  maxPendingLogBytes: number;
  /** Told what becomes of appends; says when they are to be refused. */
  availability: Availability;
  /** An append that is not acknowledged after so long rejects. */
  giveUpMs: number;
};

/** Entries that may wait besides the bound on their bytes: bodies may be empty, promises are not free. */
const MAX_PENDING_ENTRIES = 100_000;
/** How often it is looked whether something waits too long. */
const SWEEP_MS = 100;
/** An entry without an answer for so long is sent again, once the server shows that it lives. */
const RESEND_MS = 1_000;

/** Codes of nats-server for: no room in the stream, on the disk or in the account. */
const FULL = new Set([10_002, 10_023, 10_028, 10_047, 10_077]);
/** Codes for: no leader now, not the leader any more, the same id is being stored. The next try may succeed. */
const PASSING = new Set([10_008, 10_009, 10_158]);

type Pending = {
  readonly token: number;
  readonly partition: number;
  readonly body: Uint8Array;
  readonly appendedAtMs: number;
  /** 0: not sent, or to be sent again. */
  sentAtMs: number;
  resolve(sequence: number): void;
  reject(error: Error): void;
};

/** Per partition, of the entry acknowledged whose `append` came last. */
type Acknowledged = { token: number; sequence: number };

/**
 * Appends entries to the stream, any number under way at a time, answers coming back on one inbox.
 *
 * Order: entries are sent in the order of their appends, and what has to be sent again (after a reconnect, while the
 * stream had no leader, without an answer) goes out in that order too, under the id it had, so that the server stores
 * it once. Where the order broke nevertheless, e.g. because a link between two servers lost some entries and not those
 * after them, the earlier ones are not sent again but rejected. So the sequences of resolved appends to a partition
 * always rise in the order of the calls.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #acks: PubAckReader;
  readonly #inbox = createInbox();
  /** Short: the server keeps the ids of half a minute in memory. */
  readonly #idPrefix = `${randomBytes(9).toString("base64url")}.`;
  /** In the order of the appends. */
  readonly #pending = new PendingEntries<Pending>();
  readonly #acknowledged: Acknowledged[];
  readonly #stops: (() => void)[] = [];
  #subscription: Subscription | undefined;
  #pendingBytes = 0;
  /** Appends wait, unsent: the connection is lost or the stream has no leader. */
  #holding = false;
  #pinging = false;
  #closed = false;
  #settled = Promise.withResolvers<void>();

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#acks = new PubAckReader(options.stream);
    this.#acknowledged = options.subjects.map(() => ({ token: 0, sequence: 0 }));
  }

  start(): void {
    const { link, clock } = this.#options;
    const start = this.#inbox.length + 1;
    this.#subscription = link.connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error)
          this.#options.availability.failed(unavailable("NATS refuses the inbox for answers.", error));
        else this.#answered(Number(message.subject.slice(start)), message);
      },
    });
    if (!link.connected) this.#lost();
    this.#stops.push(
      link.watch((connected) => (connected ? this.#found() : this.#lost())),
      clock.every(SWEEP_MS, () => this.#sweep()),
    );
  }

  append(partition: number, body: Uint8Array): Promise<number> {
    const { link, clock, availability, maxPendingLogBytes } = this.#options;
    if (this.#closed || link.connection.isClosed()) return Promise.reject(unavailable("The log is closed."));
    if (availability.away) return Promise.reject(unavailable("The log does not answer."));
    if (this.#pending.size >= MAX_PENDING_ENTRIES || this.#pendingBytes + body.length > maxPendingLogBytes)
      return Promise.reject(unavailable("Too much waits for the log already."));
    const maxPayload = link.connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
    if (body.length + 1_024 > maxPayload)
      return Promise.reject(new BimrideError("MESSAGE_TOO_LARGE", "The entry is larger than NATS takes."));
    this.#pendingBytes += body.length;
    return new Promise((resolve, reject) => {
      const nowMs = clock.monotonic();
      const token = this.#pending.nextToken;
      const entry: Pending = { token, partition, body, appendedAtMs: nowMs, sentAtMs: 0, resolve, reject };
      this.#pending.add(entry);
      if (!this.#holding) this.#send(entry, nowMs);
    });
  }

  /** Resolves when everything under way is settled, at the latest after `giveUpMs`. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#pending.size > 0) await this.#settled.promise;
    for (const stop of this.#stops) stop();
    const { connection } = this.#options.link;
    if (!connection.isClosed()) this.#subscription?.unsubscribe();
  }

  #send(entry: Pending, nowMs: number): void {
    entry.sentAtMs = nowMs;
    this.#options.link.connection.publish(this.#options.subjects[entry.partition]!, entry.body, {
      reply: `${this.#inbox}.${entry.token}`,
      headers: messageIdHeaders(this.#idPrefix + entry.token.toString(36)),
    });
  }

  #answered(token: number, message: Msg): void {
    const entry = this.#pending.get(token);
    // Given up, or answered before: it had been sent twice.
    if (!entry) return;
    const ack = this.#acks.read(message);
    if (ack.kind === "stored") this.#stored(entry, ack.sequence);
    else if (ack.kind === "nobody" || PASSING.has(ack.code)) this.#hold(entry);
    else this.#settle(entry, refusal(ack));
  }

  #stored(entry: Pending, sequence: number): void {
    const last = this.#acknowledged[entry.partition]!;
    const later = entry.token > last.token;
    this.#options.availability.succeeded();
    if (later !== sequence > last.sequence) {
      this.#settle(entry, unavailable("The entry was stored out of its order."));
      return;
    }
    if (later) {
      last.token = entry.token;
      last.sequence = sequence;
    }
    this.#settle(entry, sequence);
    if (this.#holding && !this.#options.availability.lost) this.#sendAgain();
  }

  /** The entry was not taken now, and what comes after it must not overtake it. */
  #hold(entry: Pending): void {
    this.#holding = true;
    entry.sentAtMs = 0;
  }

  #lost(): void {
    this.#holding = true;
    this.#options.availability.disconnected();
    for (const entry of this.#pending.values()) entry.sentAtMs = 0;
  }

  #found(): void {
    this.#options.availability.connected();
    this.#sendAgain();
  }

  /**
   * Sends what is unsent, in order; what a later acknowledged entry has overtaken is rejected.
   * @param limit entries to send; with all of them holding ends
   */
  #sendAgain(limit = Number.POSITIVE_INFINITY): void {
    if (limit === Number.POSITIVE_INFINITY) this.#holding = false;
    const nowMs = this.#options.clock.monotonic();
    let sent = 0;
    for (const entry of this.#pending.values()) {
      if (entry.sentAtMs > 0) continue;
      if (entry.token < this.#acknowledged[entry.partition]!.token)
        this.#settle(entry, unavailable("The entry was lost on its way, later ones were stored."));
      else {
        this.#send(entry, nowMs);
        if (++sent >= limit) return;
      }
    }
    this.#holding = false;
  }

  #sweep(): void {
    const { clock, giveUpMs, availability } = this.#options;
    const nowMs = clock.monotonic();
    let oldestAtMs: number | undefined;
    let overdue = false;
    for (const entry of this.#pending.values()) {
      const ageMs = nowMs - entry.appendedAtMs;
      if (ageMs >= giveUpMs) {
        this.#settle(entry, unavailable("The log did not answer in time."));
        continue;
      }
      oldestAtMs ??= entry.appendedAtMs;
      if (ageMs < RESEND_MS) break;
      overdue ||= entry.sentAtMs > 0 && nowMs - entry.sentAtMs >= RESEND_MS;
    }
    availability.look(nowMs, oldestAtMs);
    if (availability.lost) return;
    // While nobody holds the stream one entry asks for all; its acknowledgement lets the others go.
    if (this.#holding) this.#sendAgain(1);
    else if (overdue) void this.#sendOverdue();
  }

  /**
   * On a connection that lives the server has seen everything sent before a ping by the time it answers: what has no
   * acknowledgement then may be lost behind it. Without that answer the first copies are still on their way, and
   * sending more would only fill memory.
   */
  async #sendOverdue(): Promise<void> {
    if (this.#pinging) return;
    this.#pinging = true;
    const askedAtMs = this.#options.clock.monotonic();
    try {
      await this.#options.link.connection.flush();
    } catch {
      // The connection broke meanwhile: everything is sent again when it is back.
      return;
    } finally {
      this.#pinging = false;
    }
    if (this.#options.availability.lost) return;
    for (const entry of this.#pending.values())
      if (entry.sentAtMs > 0 && askedAtMs - entry.sentAtMs >= RESEND_MS) entry.sentAtMs = 0;
    this.#sendAgain();
  }

  #settle(entry: Pending, outcome: number | BimrideError): void {
    this.#pending.delete(entry.token);
    this.#pendingBytes -= entry.body.length;
    if (typeof outcome === "number") entry.resolve(outcome);
    else {
      this.#options.availability.failed(outcome);
      entry.reject(outcome);
    }
    if (this.#closed && this.#pending.size === 0) this.#settled.resolve();
  }
}

function unavailable(message: string, cause?: unknown): BimrideError {
  return new BimrideError("LOG_UNAVAILABLE", message, { cause });
}

function refusal({ code, description }: Extract<PubAck, { kind: "refused" }>): BimrideError {
  const cause = new Error(`NATS error ${code}: ${description}`);
  if (FULL.has(code)) return new BimrideError("LOG_FULL", undefined, { cause });
  return unavailable("NATS refused the entry.", cause);
}
