import { crc32 } from "node:zlib";
import type { SpoolFiles } from "./files.ts";
import { SegmentReader } from "./segment-reader.ts";

const NAME = /^(\d{16})\.seg$/;

/** One append-only file of a spool, named by the position of its first record. */
export type Segment = {
  readonly first: number;
  /** Position of the last record on the disk; `first - 1` while there is none. */
  last: number;
  /** Bytes of whole records on the disk; a torn end is beyond. */
  bytes: number;
  /** Records that are not drained yet. */
  entries: number;
  /** When its first undrained record was written, milliseconds since 1970. */
  firstAtMs: number;
  /** Nothing is added any more. */
  sealed: boolean;
};

/** The file's name. */
export function segmentName(first: number): string {
  return `${String(first).padStart(16, "0")}.seg`;
}

/** What the checksums of its headers begin with. */
export function saltOf(segment: Pick<Segment, "first">): number {
  return crc32(segmentName(segment.first));
}

/** What a start found. */
export type Found = {
  /** Oldest first, all sealed: a restarted spool writes into a new one. */
  segments: Segment[];
  /** Largest position in sight; 0 when there is none. */
  last: number;
  entries: number;
  /** Bytes behind the last good record of segments: what a crash cut off. */
  tornBytes: number;
};

/** Reads all segments through once. What is already drained or holds no good record is removed. */
export async function findSegments(files: SpoolFiles, drained: number): Promise<Found> {
  const found: Found = { segments: [], last: 0, entries: 0, tornBytes: 0 };
  const firsts = (await files.list()).flatMap(({ name, bytes }) => {
    const first = NAME.exec(name)?.[1];
    return first === undefined ? [] : [{ first: Number(first), bytes }];
  });
  for (const { first, bytes } of firsts.sort((a, b) => a.first - b.first)) {
    const segment = await measure(files, first, bytes, drained);
    // The first record of a file that holds something unreadable may have been told: its position is not given again.
    found.last = Math.max(found.last, bytes > 0 ? first : first - 1, segment.last);
    found.tornBytes += bytes - segment.bytes;
    found.entries += segment.entries;
    if (segment.entries > 0) found.segments.push(segment);
    else await files.remove(segmentName(first));
  }
  return found;
}

async function measure(files: SpoolFiles, first: number, bytes: number, drained: number): Promise<Segment> {
  const segment: Segment = { first, last: first - 1, bytes: 0, entries: 0, firstAtMs: 0, sealed: true };
  const file = await files.open(segmentName(first));
  try {
    const reader = new SegmentReader(file, saltOf(segment));
    for (let record = await reader.next(bytes); record; record = await reader.next(bytes)) {
      segment.last = record.position;
      segment.bytes = record.end;
      if (record.position <= drained) continue;
      if (segment.entries === 0) segment.firstAtMs = record.writtenAtMs;
      segment.entries++;
    }
  } finally {
    await file.close();
  }
  return segment;
}
