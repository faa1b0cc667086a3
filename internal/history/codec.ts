/**
 * What engines store as blobs, and the history projection's snapshot of its open chunks. The formats are versioned
 * (proto/bimride/state/v1/chunk.proto); reading a newer one throws. The flags of a fix serve in memory too.
 */
export { flagsOf, LATE, MOCK, OUTLIER, SOURCE_MASK, SUPERSEDED } from "./codec/chunk-fields.ts";
export { decodeChunk } from "./codec/decode-chunk.ts";
export { encodeChunk } from "./codec/encode-chunk.ts";
export { decodeFinalTrack, encodeFinalTrack } from "./codec/final-track.ts";
