import { noteTakeOver, type TakeOverLimits, type TakeOvers, takeOverWaitMs } from "../core/take-overs.ts";

export type NamedSession = { readonly sessionId: string; readonly sessionEpoch: number };
/** The session that moves a marker, and when it was taken over last, oldest first. */
export type Marker = NamedSession & { readonly takeOversMs: readonly number[] };

/**
 * Which session moves a party's marker, as far as this gateway knows: from its own streams, and from what the bus tells
 * while one stands here. The pipeline decides by the same rule (pipeline/marker.ts); this is how devices are told at once.
 */
export class MarkerView {
  readonly #limits: TakeOverLimits;
  #takeOvers: TakeOvers = [];
  #holder: NamedSession = { sessionId: "", sessionEpoch: 0 };
  #closed = false;

  constructor(limits: TakeOverLimits) {
    this.#limits = limits;
  }

  /** Epoch of the session that moves the marker; 0 while none is known. */
  get sessionEpoch(): number {
    return this.#holder.sessionEpoch;
  }

  /** What another gateway is told. */
  get told(): Marker {
    return { ...this.#holder, takeOversMs: [...this.#takeOvers] };
  }

  isOf(sessionId: string): boolean {
    return this.#holder.sessionId === sessionId;
  }

  isOlderThan({ sessionId, sessionEpoch }: NamedSession): boolean {
    const holder = this.#holder;
    return (
      sessionEpoch > holder.sessionEpoch ||
      (sessionEpoch === holder.sessionEpoch && sessionId > holder.sessionId)
    );
  }

  /** How long the session must wait until it may take the marker over; 0 when it has it, or may. */
  waitMs(sessionId: string, nowMs: number): number {
    if (this.isOf(sessionId) || this.#holder.sessionId === "" || this.#closed) return 0;
    return takeOverWaitMs(this.#takeOvers, nowMs, this.#limits);
  }

  /** True while nobody may take over because others did so often. */
  isContested(nowMs: number): boolean {
    return takeOverWaitMs(this.#takeOvers, nowMs, this.#limits) > 0;
  }

  /** The session opened: it moves the marker if it is the newest. */
  opened(session: NamedSession, nowMs: number): void {
    const isItsOwn = this.isOf(session.sessionId);
    if (isItsOwn) this.#closed = false;
    if (!this.isOlderThan(session)) return;
    if (!isItsOwn && this.#holder.sessionId !== "") noteTakeOver(this.#takeOvers, nowMs, this.#limits);
    this.keeps(session);
  }

  /** The session moves the marker, whoever else opened. */
  keeps({ sessionId, sessionEpoch }: NamedSession): void {
    this.#holder = { sessionId, sessionEpoch };
    this.#closed = false;
  }

  /** What another gateway told. It has seen more than this one, unless this one has seen more. */
  hear({ sessionId, sessionEpoch, takeOversMs }: Marker): void {
    if (takeOversMs.length >= this.#takeOvers.length) this.#takeOvers = [...takeOversMs];
    if (this.isOlderThan({ sessionId, sessionEpoch })) this.keeps({ sessionId, sessionEpoch });
  }

  /** The session's last stream here is gone. */
  closed(sessionId: string): void {
    if (this.isOf(sessionId)) this.#closed = true;
  }
}
