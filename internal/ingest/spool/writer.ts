import { BimrideError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";
import { asSpoolError, type SpoolFile, type SpoolFiles } from "./files.ts";
import { recordBytes, writeRecord } from "./record.ts";
import { type Segment, saltOf, segmentName } from "./segment.ts";

const MAX_SEGMENT_BYTES = 8 << 20;
const MAX_GROUP_BYTES = 4 << 20;
/** After the disk refused a write the next try waits for so long; what comes meanwhile is refused at once. */
const REST_MS = 250;
/** A refusal counts as trouble for so long. */
const TROUBLE_MS = 5_000;

type Waiting = {
  partition: number;
  body: Uint8Array;
  resolve(position: number): void;
  reject(error: BimrideError): void;
};

export type WriterOptions = {
  files: SpoolFiles;
  clock: Clock;
  maxBytes: number;
  /** Shared with the reading side, which removes drained ones; oldest first. */
  segments: Segment[];
  /** Largest position that was ever given. */
  last: number;
  /** Records are on the disk. */
  onWritten(count: number): void;
  onRefused(error: BimrideError): void;
};

/**
 * Appends records, many with one fdatasync: what comes while a group is on its way shares the next one. A position is
 * never told twice, and a segment that met an error takes no more records, so that what it holds stays what was told.
 */
export class SpoolWriter {
  readonly #options: WriterOptions;
  readonly #maxSegmentBytes: number;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #active: { segment: Segment; file: SpoolFile } | undefined;
  #last: number;
  /** The disk's own refusals; it is not asked again before `untilMs`. */
  #resting: { untilMs: number; error: BimrideError } | undefined;
  #refused: { atMs: number; error: BimrideError } | undefined;
  #closed = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#last = options.last;
    this.#maxSegmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.max(1, Math.floor(options.maxBytes / 4)));
  }

  /** Why a record was refused within the last seconds, or undefined. */
  get trouble(): BimrideError | undefined {
    const refused = this.#refused;
    return refused && this.#options.clock.monotonic() - refused.atMs < TROUBLE_MS ? refused.error : undefined;
  }

  /** Resolves with the record's position once it is on the disk; rejects with LOG_FULL or LOG_UNAVAILABLE. */
  write(partition: number, body: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(new BimrideError("LOG_UNAVAILABLE", "The spool is closed."));
    return new Promise((resolve, reject) => {
      this.#queue.push({ partition, body, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Ends the segment that is being written, if any and nothing is on its way; the next record begins another. */
  async seal(): Promise<void> {
    if (this.#running || !this.#active) return;
    const { segment, file } = this.#active;
    this.#active = undefined;
    segment.sealed = true;
    await file.close();
  }

  /** Waits for what is on its way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.seal();
  }

  async #run(): Promise<void> {
    await new Promise(setImmediate);
    while (this.#queue.length > 0) {
      const group = this.#nextGroup();
      if (group.length === 0) continue;
      try {
        const first = await this.#store(group);
        for (const [index, { resolve }] of group.entries()) resolve(first + index);
        this.#options.onWritten(group.length);
      } catch (cause) {
        const error = asSpoolError(cause);
        this.#resting = { untilMs: this.#options.clock.monotonic() + REST_MS, error };
        for (const { reject } of group) this.#refuse(reject, error);
      }
    }
    this.#running = undefined;
  }

  /** Takes from the queue what goes to the disk together; refuses what has no room. */
  #nextGroup(): Waiting[] {
    const { segments, maxBytes, clock } = this.#options;
    if (this.#resting && clock.monotonic() < this.#resting.untilMs) {
      const { error } = this.#resting;
      for (const { reject } of this.#queue.splice(0)) this.#refuse(reject, error);
      return [];
    }
    let room = maxBytes - segments.reduce((sum, { bytes }) => sum + bytes, 0);
    let groupBytes = 0;
    const group: Waiting[] = [];
    let taken = 0;
    for (const waiting of this.#queue) {
      const bytes = recordBytes(waiting.body.byteLength);
      if (group.length > 0 && groupBytes + bytes > MAX_GROUP_BYTES) break;
      taken++;
      if (bytes > room) {
        this.#refuse(waiting.reject, new BimrideError("LOG_FULL", "The log is away and the spool is full."));
        continue;
      }
      room -= bytes;
      groupBytes += bytes;
      group.push(waiting);
    }
    this.#queue = this.#queue.slice(taken);
    return group;
  }

  #refuse(reject: (error: BimrideError) => void, error: BimrideError): void {
    this.#refused = { atMs: this.#options.clock.monotonic(), error };
    this.#options.onRefused(error);
    reject(error);
  }

  async #store(group: readonly Waiting[]): Promise<number> {
    const writtenAtMs = Math.round(this.#options.clock.now());
    const { segment, file } = await this.#segment();
    const salt = saltOf(segment);
    const first = this.#last + 1;
    const bytes = Buffer.allocUnsafe(group.reduce((sum, { body }) => sum + recordBytes(body.byteLength), 0));
    let at = 0;
    for (const { partition, body } of group) {
      writeRecord(bytes, at, salt, { partition, position: ++this.#last, writtenAtMs, body });
      at += recordBytes(body.byteLength);
    }
    try {
      await file.write(bytes, segment.bytes);
      await file.sync();
    } catch (error) {
      await this.#abandon(segment, file);
      throw error;
    }
    if (segment.entries === 0) segment.firstAtMs = writtenAtMs;
    segment.bytes += bytes.byteLength;
    segment.last = this.#last;
    segment.entries += group.length;
    return first;
  }

  /** The segment to write into. A new one begins with the next position. */
  async #segment(): Promise<{ segment: Segment; file: SpoolFile }> {
    const { files, segments } = this.#options;
    const active = this.#active;
    if (active && active.segment.bytes < this.#maxSegmentBytes) return active;
    if (active) {
      this.#active = undefined;
      active.segment.sealed = true;
      await active.file.close();
    }
    const first = this.#last + 1;
    const segment: Segment = { first, last: first - 1, bytes: 0, entries: 0, firstAtMs: 0, sealed: false };
    const file = await files.open(segmentName(first));
    segments.push(segment);
    this.#active = { segment, file };
    return this.#active;
  }

  /**
   * After an error nobody knows what of the group is on the disk. What was told before stays; the rest is cut off, and its
   * positions are given anew, where that works. Where it does not, records nobody was told of are drained after a restart:
   * repeats, which readers bear.
   */
  async #abandon(segment: Segment, file: SpoolFile): Promise<void> {
    const { files, segments } = this.#options;
    this.#active = undefined;
    segment.sealed = true;
    try {
      await file.truncate(segment.bytes);
      await file.sync();
      this.#last = segment.last;
    } catch {
      // The positions stay with what may be there.
    }
    await file.close().catch(() => {});
    if (segment.bytes > 0) return;
    segments.splice(segments.indexOf(segment), 1);
    await files.remove(segmentName(segment.first)).catch(() => {});
  }
}
