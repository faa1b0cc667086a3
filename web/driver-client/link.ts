import { create } from "@bufbuild/protobuf";
import {
  type Hello,
  type PublishRequest,
  PublishRequestSchema,
  type PublishResponse,
} from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { TokenKeeper } from "../client/token-keeper.ts";
import type { WatchClock } from "../client/watch-clock.ts";
import { CONNECTION_LOST, type DriverTransport } from "./transport.ts";

/** Times of a link, milliseconds. */
export type LinkTimes = {
  /** A stream without a Welcome for so long does not get through. */
  connectTimeoutMs: number;
  /** After so long without a word from the gateway one is asked for. */
  heartbeatMs: number;
  /** A gateway that owes an answer and says nothing for so long is not there any more. */
  answerTimeoutMs: number;
};

/** An answer that does not come while others do, milliseconds. */
const LONGEST_ANSWER_MS = 60_000;
/** What was sent has so long to be answered when a stream is ended in order. */
const CLOSE_TIMEOUT_MS = 2_000;

/** Why a link ended. `renewal`: to go on elsewhere or anew at once; `stopped`: by its owner. */
export type LinkEnd = {
  kind: "lost" | "renewal" | "stopped";
  /** A code of docs/ERRORS.md, CONNECTION_LOST, or empty for an end in order. */
  code: string;
  heard: boolean;
  durationMs: number;
};

export type LinkOptions = {
  transport: DriverTransport;
  token: string;
  tokens: TokenKeeper;
  clock: WatchClock;
  times: LinkTimes;
  /** Made anew for each Hello. */
  hello(): Hello;
  /** Something that must be answered and costs nothing. */
  heartbeat(): PublishRequest["message"];
  /** Fixes may be sent. Called once. */
  onReady(link: Link): void;
  /** Everything but TokenRefreshRequest, which is seen to. */
  onMessage(message: PublishResponse["message"], link: Link): void;
};

/** One connection to one gateway: greets, greets again where it is told to move, keeps its token fresh, notices its death. */
export class Link {
  readonly transport: DriverTransport;
  /** Resolves to true with the first message, to false when the link ends without one. Never rejects. */
  readonly heard: Promise<boolean>;
  /** Never rejects. */
  readonly ended: Promise<LinkEnd>;
  readonly #options: LinkOptions;
  readonly #stream;
  readonly #startedAt: number;
  /** When what is not answered yet was sent, by batch id; Hello is 0. Oldest first. */
  readonly #unanswered = new Map<number, number>();
  #heardAt: number;
  #wasHeard = false;
  #isReady = false;
  #isOver = false;
  #stopKind: LinkEnd["kind"] | undefined;
  #settleHeard: (heard: boolean) => void = () => {};
  #settleEnded: (end: LinkEnd) => void = () => {};
  #cancelCheck: () => void = () => {};
  #cancelClose: () => void = () => {};

  constructor(options: LinkOptions) {
    const { transport, clock, token } = options;
    this.#options = options;
    this.transport = transport;
    this.#startedAt = clock.monotonic();
    this.#heardAt = this.#startedAt;
    this.heard = new Promise((resolve) => {
      this.#settleHeard = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    this.#stream = transport.open({
      token,
      onMessage: ({ message }) => this.#received(message),
      onEnd: ({ code }) => this.#end(code),
    });
    this.greet();
    if (transport.isStream) this.#checkAfter(options.times.connectTimeoutMs);
    else this.#ready();
  }

  /** Says Hello (again). */
  greet(): void {
    this.#unanswered.set(0, this.#options.clock.monotonic());
    this.send({ case: "hello", value: this.#options.hello() });
  }

  send(message: PublishRequest["message"]): void {
    if (this.#isOver) return;
    if (message.case === "fixes")
      this.#unanswered.set(message.value.batchId, this.#options.clock.monotonic());
    this.#stream.send(create(PublishRequestSchema, { message }));
  }

  /** Ends in order: what was sent has a moment to be answered. */
  close(kind: "renewal" | "stopped"): void {
    if (this.#isOver || this.#stopKind) return;
    this.#stopKind = kind;
    this.#cancelClose = this.#options.clock.after(CLOSE_TIMEOUT_MS, () => this.#stream.cut());
    this.#stream.close();
  }

  /** Breaks it off. */
  cut(kind: LinkEnd["kind"]): void {
    this.#stopKind ??= kind;
    this.#stream.cut();
  }

  /** How long nothing came, milliseconds. */
  silentForMs(): number {
    return this.#options.clock.monotonic() - this.#heardAt;
  }

  #received(message: PublishResponse["message"]): void {
    if (this.#isOver) return;
    this.#heardAt = this.#options.clock.monotonic();
    this.#wasHeard = true;
    if (message.case === "welcome") this.#unanswered.delete(0);
    if (message.case === "ack" || message.case === "problem") this.#unanswered.delete(message.value.batchId);
    if (message.case === "tokenRefreshRequest") void this.#refreshToken();
    else this.#options.onMessage(message, this);
    if (message.case === "welcome" && !this.#isReady) this.#ready();
    this.#settleHeard(true);
  }

  #ready(): void {
    this.#isReady = true;
    if (this.transport.isStream) this.#checkAfter(this.#options.times.heartbeatMs);
    // After the constructor, whose caller must have the link first.
    queueMicrotask(() => {
      if (!this.#isOver) this.#options.onReady(this);
    });
  }

  async #refreshToken(): Promise<void> {
    const { tokens } = this.#options;
    try {
      this.send({
        case: "tokenRefresh",
        value: { $typeName: "bimride.tracking.v1.TokenRefresh", token: await tokens.renew() },
      });
    } catch {
      // The stream ends with TOKEN_EXPIRED then, and the ladder asks again, as often as it takes.
    }
  }

  #checkAfter(delayMs: number): void {
    this.#cancelCheck();
    this.#cancelCheck = this.#options.clock.after(Math.max(0, delayMs), () => this.#check());
  }

  #check(): void {
    const { clock, times, heartbeat } = this.#options;
    const now = clock.monotonic();
    const [owedSince] = this.#unanswered.values();
    if (!this.#isReady) {
      this.#stream.cut();
    } else if (owedSince !== undefined) {
      const silentSince = Math.max(this.#heardAt, owedSince);
      const isDead = now - silentSince >= times.answerTimeoutMs || now - owedSince >= LONGEST_ANSWER_MS;
      if (isDead) this.#stream.cut();
      else this.#checkAfter(silentSince + times.answerTimeoutMs - now);
    } else if (now - this.#heardAt >= times.heartbeatMs) {
      const message = heartbeat();
      if (message.case === "hello") this.greet();
      else this.send(message);
      this.#checkAfter(times.answerTimeoutMs);
    } else this.#checkAfter(this.#heardAt + times.heartbeatMs - now);
  }

  #end(code: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelCheck();
    this.#cancelClose();
    this.#settleHeard(false);
    const kind = this.#stopKind ?? "lost";
    const durationMs = this.#options.clock.monotonic() - this.#startedAt;
    this.#settleEnded({
      kind,
      code: code || (kind === "lost" ? CONNECTION_LOST : ""),
      heard: this.#wasHeard,
      durationMs,
    });
  }
}
