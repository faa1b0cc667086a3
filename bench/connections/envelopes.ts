const HEAD_BYTES = 5;

/** A message behind its head: a byte of flags and four of length, as gRPC and Connect streams have it. */
export function envelope(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(HEAD_BYTES + message.byteLength);
  framed[0] = 0;
  framed.writeUInt32BE(message.byteLength, 1);
  framed.set(message, HEAD_BYTES);
  return framed;
}

/** Cuts a stream of bytes into messages. Those with flags (Connect's end of stream) are left out. */
export class Envelopes {
  readonly #take: (message: Uint8Array) => void;
  #rest: Buffer | undefined;

  constructor(take: (message: Uint8Array) => void) {
    this.#take = take;
  }

  push(bytes: Buffer): void {
    let left = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
    while (left.byteLength >= HEAD_BYTES) {
      const end = HEAD_BYTES + left.readUInt32BE(1);
      if (left.byteLength < end) break;
      if (left[0] === 0) this.#take(left.subarray(HEAD_BYTES, end));
      left = left.subarray(end);
    }
    this.#rest = left.byteLength > 0 ? Buffer.from(left) : undefined;
  }
}
