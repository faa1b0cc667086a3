import { createHash } from "node:crypto";

/** First bytes of a stored snapshot, then the SHA-256 of the body, then the body. */
const MAGIC = Buffer.from("BRSNAP1\n");
const DIGEST_BYTES = 32;
const HEAD_BYTES = MAGIC.length + DIGEST_BYTES;
const NAME_PATTERN = /^[a-z0-9-]{1,64}$/;

/** The body with its checksum, as engines store it. */
export function framed(body: Uint8Array): Buffer {
  return Buffer.concat([MAGIC, digest(body), body]);
}

/** The body, or undefined when what was stored is torn or altered. */
export function unframed(stored: Uint8Array): Uint8Array | undefined {
  const content = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  if (content.length < HEAD_BYTES) return undefined;
  const body = content.subarray(HEAD_BYTES);
  const intact =
    content.subarray(0, MAGIC.length).equals(MAGIC) &&
    content.subarray(MAGIC.length, HEAD_BYTES).equals(digest(body));
  return intact ? new Uint8Array(body) : undefined;
}

/** Throws a RangeError for what is no name of a snapshot: names become parts of paths and subjects. */
export function checkSnapshotName(name: string): void {
  if (!NAME_PATTERN.test(name)) throw new RangeError("a snapshot's name is 1 to 64 of a-z 0-9 -");
}

function digest(body: Uint8Array): Buffer {
  return createHash("sha256").update(body).digest();
}
