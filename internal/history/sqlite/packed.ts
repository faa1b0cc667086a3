/** Byte strings one after another, so that they cross the thread boundary in one piece, without a copy. */
export type Packed = { lengths: number[]; bytes: Uint8Array<ArrayBuffer> };

export function pack(blobs: readonly Uint8Array[]): Packed {
  const lengths = blobs.map((blob) => blob.length);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let offset = 0;
  for (const blob of blobs) {
    bytes.set(blob, offset);
    offset += blob.length;
  }
  return { lengths, bytes };
}

/** Inverse of {@link pack}; the parts share its memory. */
export function unpack({ lengths, bytes }: Packed): Uint8Array[] {
  let offset = 0;
  return lengths.map((length) => {
    offset += length;
    return bytes.subarray(offset - length, offset);
  });
}
