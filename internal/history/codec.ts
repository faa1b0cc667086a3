/**
 * What engines store as blobs, and the history projection's snapshot of its open chunks. The formats are versioned
 * (proto/bimride/state/v1/chunk.proto); reading a newer one throws.
 */
export { decodeChunk } from "./codec/decode-chunk.ts";
export { encodeChunk } from "./codec/encode-chunk.ts";
export { decodeFinalTrack, encodeFinalTrack } from "./codec/final-track.ts";
