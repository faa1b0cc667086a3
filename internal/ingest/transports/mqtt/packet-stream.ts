import { Duplex } from "node:stream";
import { asBimrideError, type BimrideError } from "../../../core/errors.ts";
import { type PacketHead, PacketWalk } from "./packet-walk.ts";
import { PACKET } from "./packets.ts";
import type { Wire } from "./wire.ts";

/** A CONNECT with a token, and a will of a device's state, is far smaller. */
const MAX_CONNECT_BYTES = 32 << 10;
/** What is in a PUBLISH beside its payload: topic and packet id. */
const PUBLISH_HEAD_BYTES = 1 << 10;

export type PacketListener = {
  /** A whole packet came. */
  packet(head: PacketHead): void;
  /** What came is too large or no packet: nothing more is let in. */
  refused(error: BimrideError): void;
  /** The connection is gone. */
  lost(): void;
};

/** @property maxMessageBytes of a payload; @property maxUnacked publishes let in at a time */
export type PacketBounds = { maxMessageBytes: number; maxUnacked: number };

/**
 * Stands between a wire and the broker: lets bytes through packet by packet, none after a CONNECT until that is answered,
 * none while too many publishes wait for their answer, or while answers wait to be read; what is held meanwhile is
 * one read of the wire.
 */
export class PacketStream extends Duplex {
  readonly #wire: Wire;
  readonly #listener: PacketListener;
  readonly #bounds: PacketBounds;
  readonly #walk: PacketWalk;
  #held: Buffer | undefined;
  /** The broker has not asked for more. */
  #full = false;
  /** A CONNECT was let in and is not answered. */
  #connecting = false;
  #unacked = 0;
  /** Since when answers wait, as last looked at. */
  #stalledMs: number | undefined;
  #state: "open" | "ending" | "lost" = "open";

  constructor(wire: Wire, listener: PacketListener, bounds: PacketBounds) {
    super();
    this.#wire = wire;
    this.#listener = listener;
    this.#bounds = bounds;
    this.#walk = new PacketWalk(bounds.maxMessageBytes + PUBLISH_HEAD_BYTES, MAX_CONNECT_BYTES);
    this.on("drain", () => this.#letIn());
    wire.listen({
      received: (bytes) => this.#received(bytes),
      broken: (error) => this.#refuse(error),
      closed: () => this.#lost(),
    });
  }

  /** False once nothing more is let in. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** True while packets are kept waiting by us, not by the client. */
  get isHeld(): boolean {
    return this.#connecting || this.#unacked >= this.#bounds.maxUnacked;
  }

  /** Bytes that the client has not read, as far as this process knows. */
  get unreadBytes(): number {
    return this.writableLength;
  }

  /** How long the client has read nothing of what waits for it; 0 when nothing waits. To be asked again and again. */
  unreadMs(nowMs: number): number {
    if (!this.writableNeedDrain) this.#stalledMs = undefined;
    else this.#stalledMs ??= nowMs;
    return this.#stalledMs === undefined ? 0 : nowMs - this.#stalledMs;
  }

  /** The CONNECT was answered: what came after it may pass. */
  connected(): void {
    this.#connecting = false;
    this.#letIn();
  }

  /** A publish of QoS 1 or 2 was answered. */
  acked(): void {
    this.#unacked--;
    this.#letIn();
  }

  /** Lets nothing more in, and ends the wire once the last is written. */
  finish(error: BimrideError | undefined): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#held = undefined;
    // What still comes is read and dropped, or the end would stay unread behind it.
    this.#wire.resume();
    const end = () => this.#wire.end(error);
    if (this.writableLength === 0) end();
    else this.write(Buffer.alloc(0), end);
  }

  /** Cuts the wire off. */
  cut(): void {
    this.#wire.destroy();
  }

  override _read(): void {
    this.#full = false;
    this.#letIn();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, written: () => void): void {
    if (this.#state === "lost" || bytes.length === 0) written();
    else this.#wire.write(bytes, written);
  }

  override _writev(chunks: { chunk: Buffer }[], written: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), "buffer" as BufferEncoding, written);
  }

  override _destroy(_error: Error | null, done: (error: Error | null) => void): void {
    // The broker is done with it. What it wrote last may still be on its way.
    if (this.#state === "open") {
      this.#state = "ending";
      this.#wire.resume();
      this.#wire.end(undefined);
    }
    done(null);
  }

  #received(bytes: Buffer): void {
    if (this.#state !== "open") return;
    this.#held = this.#held ? Buffer.concat([this.#held, bytes]) : bytes;
    this.#letIn();
  }

  /** Passes on what may pass, and stops the wire while something may not. */
  #letIn(): void {
    while (this.#state === "open" && this.#held && !this.#full && !this.isHeld && !this.writableNeedDrain)
      this.#pass(this.#held);
    if (this.#state !== "open") return;
    if (this.#held) this.#wire.pause();
    else this.#wire.resume();
  }

  /** Passes on up to a packet after which others may have to wait. */
  #pass(bytes: Buffer): void {
    let at = 0;
    try {
      while (at < bytes.length && !this.isHeld) at = this.#step(bytes, at);
    } catch (error) {
      this.#refuse(asBimrideError(error));
      return;
    }
    this.#held = at < bytes.length ? bytes.subarray(at) : undefined;
    this.#full = !this.push(bytes.subarray(0, at));
  }

  #step(bytes: Buffer, from: number): number {
    const { at, ended } = this.#walk.next(bytes, from);
    if (!ended) return at;
    if (ended.type === PACKET.CONNECT) this.#connecting = true;
    if (ended.type === PACKET.PUBLISH && (ended.flags & 0b0110) !== 0) this.#unacked++;
    this.#listener.packet(ended);
    return at;
  }

  #refuse(error: BimrideError): void {
    if (this.#state === "open") this.#listener.refused(error);
  }

  #lost(): void {
    if (this.#state === "lost") return;
    this.#state = "lost";
    this.#held = undefined;
    this.#listener.lost();
    this.destroy();
  }
}
