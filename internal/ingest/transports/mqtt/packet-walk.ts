import { BimrideError } from "../../../core/errors.ts";
import { PACKET } from "./packets.ts";

/** Bytes of a packet's length at most. */
const MAX_LENGTH_BYTES = 4;

/** A packet whose head has passed. @property flags the low four bits of its first byte */
export type PacketHead = { type: number; flags: number };

/**
 * Walks over the bytes of a connection from packet to packet, without a look at what is in them: so a packet is refused
 * for its size before any of it is kept, and reading can stop between two packets.
 */
export class PacketWalk {
  readonly #maxBytes: number;
  readonly #maxConnectBytes: number;
  /** Bytes of the packet under way that are still to come; undefined within its head. */
  #rest: number | undefined;
  #first: number | undefined;
  #length = 0;
  #lengthBytes = 0;

  /** @param maxBytes of a packet after its head; @param maxConnectBytes of the CONNECT, which comes before any token is checked */
  constructor(maxBytes: number, maxConnectBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxConnectBytes = maxConnectBytes;
  }

  /**
   * Walks to the end of the packet under way, or of the bytes. Throws MESSAGE_TOO_LARGE, or MESSAGE_INVALID where a length is none.
   * @returns how far it came, and the head of the packet that ended there, if one did
   */
  next(bytes: Uint8Array, from: number): { at: number; ended: PacketHead | undefined } {
    let at = from;
    while (this.#rest === undefined && at < bytes.length) this.#head(bytes[at++] as number);
    const passed = Math.min(this.#rest ?? 0, bytes.length - at);
    at += passed;
    if (this.#rest === undefined) return { at, ended: undefined };
    this.#rest -= passed;
    if (this.#rest > 0) return { at, ended: undefined };
    const first = this.#first as number;
    this.#rest = undefined;
    this.#first = undefined;
    return { at, ended: { type: first >> 4, flags: first & 15 } };
  }

  #head(byte: number): void {
    if (this.#first === undefined) {
      this.#first = byte;
      this.#length = 0;
      this.#lengthBytes = 0;
      return;
    }
    this.#length += (byte & 127) * 128 ** this.#lengthBytes++;
    if (byte < 128) {
      const max = this.#first >> 4 === PACKET.CONNECT ? this.#maxConnectBytes : this.#maxBytes;
      if (this.#length > max) throw new BimrideError("MESSAGE_TOO_LARGE");
      this.#rest = this.#length;
    } else if (this.#lengthBytes === MAX_LENGTH_BYTES)
      throw new BimrideError("MESSAGE_INVALID", "The length of a packet is none.");
  }
}
