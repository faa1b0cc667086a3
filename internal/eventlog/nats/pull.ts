import { AckPolicy, DeliverPolicy, type JetStreamManager } from "@nats-io/jetstream";
import { createInbox, type Msg, nanos, nuid, type Subscription } from "@nats-io/transport-node";
import type { Clock } from "../../core/time.ts";
import type { NatsLink } from "../../nats/link.ts";
import type { LogEntry } from "../log.ts";
import { type Delivery, readDelivery } from "./delivery.ts";

export type PullSource = {
  link: NatsLink;
  manager: JetStreamManager;
  clock: Clock;
  stream: string;
  /** Partition by subject. */
  partitionOf: ReadonlyMap<string, number>;
};

/** What one request asks for. The bytes let in at least one message of the largest payload. */
const PULL_MESSAGES = 256;
const PULL_BYTES = 4 << 20;
/** Nothing more is asked for while so much waits to be read. */
const MAX_WAITING_ENTRIES = 512;
const MAX_WAITING_BYTES = 8 << 20;
const PULL_EXPIRES_MS = 30_000;
/** The server shows that it lives so often while it has nothing to deliver; silent for three of these, it does not. */
const HEARTBEAT_MS = 500;
const SILENT_MS = 3 * HEARTBEAT_MS;
/** The server forgets a consumer that nobody has read from for so long. */
const INACTIVE_MS = 30_000;

const STATUS_HEARTBEAT = 100;
const STATUS_TIMEOUT = 408;
const STATUS_CONFLICT = 409;
const PENDING_MESSAGES = "Nats-Pending-Messages";

/**
 * One short-lived consumer of the stream from a sequence on, and what it has delivered and nobody took yet, in order
 * and without holes among the subjects asked for: at the first doubt (a number missing, silence, an unexpected word of
 * the server, a reconnect) it is `lost`, and its user starts another where this one ended.
 * Bounded: at most 1,024 messages or 16 MiB are under way or waiting.
 */
export class Pull implements AsyncDisposable {
  readonly #source: PullSource;
  readonly #consumer = `bimride_${nuid.next()}`;
  readonly #inbox = createInbox();
  readonly #delivery: Delivery = { streamSequence: 0, consumerSequence: 0, loggedAtMs: 0 };
  readonly #stops: (() => void)[] = [];
  readonly #onChange: () => void;
  #subscription: Subscription | undefined;
  #waiting: LogEntry[] = [];
  #waitingBytes = 0;
  /** Messages asked for and neither delivered nor declined. */
  #asked = 0;
  #delivered = 0;
  #heardAtMs: number;
  #lost = false;

  private constructor(source: PullSource, onChange: () => void) {
    this.#source = source;
    this.#onChange = onChange;
    this.#heardAtMs = source.clock.monotonic();
  }

  /** @param onChange called when something waits or the consumer is lost */
  static async open(
    source: PullSource,
    subjects: readonly string[],
    startSequence: number,
    onChange: () => void,
  ): Promise<Pull> {
    const pull = new Pull(source, onChange);
    pull.#stops.push(source.link.watch(() => pull.#lose()));
    try {
      await source.manager.consumers.add(source.stream, {
        name: pull.#consumer,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: startSequence,
        ack_policy: AckPolicy.None,
        ...(subjects.length === 1 ? { filter_subject: subjects[0]! } : { filter_subjects: [...subjects] }),
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanos(INACTIVE_MS),
      });
    } catch (error) {
      await pull[Symbol.asyncDispose]();
      throw error;
    }
    pull.#start();
    return pull;
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** Whether there is something to take, or to learn from `lost`. */
  get waits(): boolean {
    return this.#lost || this.#waiting.length > 0;
  }

  /** What has come since the last call, at most `limit` entries. */
  take(limit: number): LogEntry[] {
    const all = this.#waiting;
    const taken = all.length <= limit ? all : all.slice(0, limit);
    this.#waiting = all.length <= limit ? [] : all.slice(limit);
    for (const { body } of taken) this.#waitingBytes -= body.length;
    this.#ask();
    return taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lost = true;
    for (const stop of this.#stops) stop();
    const { link, manager, stream } = this.#source;
    if (link.connection.isClosed()) return;
    this.#subscription?.unsubscribe();
    // The server forgets it by itself when this can't reach it.
    if (link.connected) void manager.consumers.delete(stream, this.#consumer).catch(() => undefined);
  }

  #start(): void {
    const { link, clock } = this.#source;
    this.#subscription = link.connection.subscribe(this.#inbox, {
      callback: (error, message) => (error ? this.#lose() : this.#hear(message)),
    });
    this.#heardAtMs = clock.monotonic();
    this.#stops.push(
      clock.every(HEARTBEAT_MS, () => {
        if (this.#asked > 0 && clock.monotonic() - this.#heardAtMs > SILENT_MS) this.#lose();
      }),
    );
    this.#ask();
  }

  #ask(): void {
    if (this.#lost || this.#asked > PULL_MESSAGES / 2) return;
    if (this.#waiting.length >= MAX_WAITING_ENTRIES || this.#waitingBytes >= MAX_WAITING_BYTES) return;
    const { link, clock, stream } = this.#source;
    if (this.#asked === 0) this.#heardAtMs = clock.monotonic();
    this.#asked += PULL_MESSAGES;
    const request = {
      batch: PULL_MESSAGES,
      max_bytes: PULL_BYTES,
      expires: nanos(PULL_EXPIRES_MS),
      idle_heartbeat: nanos(HEARTBEAT_MS),
    };
    link.connection.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#consumer}`,
      JSON.stringify(request),
      {
        reply: this.#inbox,
      },
    );
  }

  #hear(message: Msg): void {
    if (this.#lost) return;
    this.#heardAtMs = this.#source.clock.monotonic();
    const partition = this.#source.partitionOf.get(message.subject);
    if (partition === undefined) {
      this.#hearStatus(message);
      return;
    }
    const { streamSequence, consumerSequence, loggedAtMs } = readDelivery(
      message.reply ?? "",
      this.#delivery,
    );
    if (consumerSequence !== this.#delivered + 1) {
      this.#lose();
      return;
    }
    this.#delivered = consumerSequence;
    this.#asked = Math.max(0, this.#asked - 1);
    const { data } = message;
    // The client hands out Buffers, whose `slice` is no copy.
    const body = new Uint8Array(data.buffer, data.byteOffset, data.length);
    this.#waiting.push({ partition, sequence: streamSequence, loggedAtMs, body });
    this.#waitingBytes += data.length;
    this.#ask();
    if (this.#waiting.length === 1) this.#onChange();
  }

  #hearStatus(message: Msg): void {
    const code = message.headers?.code ?? 0;
    if (code === STATUS_HEARTBEAT) return;
    const declined = message.headers?.get(PENDING_MESSAGES) ?? "";
    // A request ended: its time is over or the next message does not fit what is left of its bytes.
    if ((code === STATUS_TIMEOUT || code === STATUS_CONFLICT) && declined !== "") {
      this.#asked = Math.max(0, this.#asked - Number(declined));
      this.#ask();
      return;
    }
    this.#lose();
  }

  #lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#onChange();
  }
}
