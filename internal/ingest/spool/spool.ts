import { join } from "node:path";
import { EngineError } from "../../core/engine-error.ts";
import type { BimrideError } from "../../core/errors.ts";
import type { Clock } from "../../core/time.ts";
import { DrainCursor } from "./cursor.ts";
import type { SpoolDepth, SpoolEvent } from "./events.ts";
import { diskFiles, type SpoolFile, type SpoolFiles } from "./files.ts";
import { findSegments, type Segment, saltOf, segmentName } from "./segment.ts";
import { SegmentReader } from "./segment-reader.ts";
import { SpoolWriter } from "./writer.ts";

/** The cursor is stored this often while something is drained. */
const CURSOR_PERIOD_MS = 500;
/** Positions of lost records remembered one by one; beyond, all up to the newest of them pass for lost. */
const MAX_LOST = 10_000;

export type SpoolOptions = {
  /** Folder of all spools of this gateway; the region's own is made within. This process's alone. */
  folder: string;
  region: string;
  /** Bytes of records that may wait on the disk; more is refused with LOG_FULL. */
  maxBytes: number;
  /** Stamps records, for the age of the oldest, and times retries. Real also where another clock is driven. */
  clock: Clock;
  /** Told what an operator should know, see events.ts. */
  onEvent(event: SpoolEvent): void;
  /** Instead of the folder on the disk. */
  files?: SpoolFiles;
};

/** A record that was read back, to be given to {@link Spool.done} once the log has it. */
export type Taken = {
  readonly partition: number;
  readonly position: number;
  readonly body: Uint8Array;
  readonly writtenAtMs: number;
  readonly segment: Segment;
  done: boolean;
};

/**
 * Opens the spool of a region with all that a process before left in it. Rejects with an EngineError (`data.dir`) when the
 * folder can't be used. What is damaged does not keep it from opening: it is reported.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  try {
    const files = options.files ?? (await diskFiles(join(options.folder, options.region)));
    const cursor = await DrainCursor.open(files);
    const found = await findSegments(files, cursor.position);
    const spool = new Spool(options, files, cursor, found);
    const { entries, tornBytes } = found;
    options.onEvent({ kind: "opened", depth: () => spool.depth, entries, tornBytes });
    return spool;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new EngineError("data.dir", `the spool in ${options.folder} can't be used (${code ?? "unknown"})`, {
      cause,
    });
  }
}

type Reading = { segment: Segment; file: SpoolFile; reader: SegmentReader; expected: number };

/**
 * Log entries of one region on this gateway's own disk, for the time that the log is away: written in groups with one
 * fdatasync, read back in the order of the writes, forgotten once the log has them. Records have positions that only
 * rise. At least once: after a crash the last few are read back again.
 */
export class Spool {
  readonly region: string;
  readonly #options: SpoolOptions;
  readonly #files: SpoolFiles;
  readonly #cursor: DrainCursor;
  readonly #segments: Segment[];
  readonly #writer: SpoolWriter;
  /** Read back and not yet contiguously done, oldest first. */
  readonly #taken: Taken[] = [];
  readonly #lost = new Set<number>();
  #lostThrough = 0;
  #reading: Reading | undefined;
  #readThrough: number;
  #drained: number;
  #saving: Promise<void> | undefined;
  #savedMs: number;

  /** Use {@link openSpool}. */
  constructor(
    options: SpoolOptions,
    files: SpoolFiles,
    cursor: DrainCursor,
    found: { segments: Segment[]; last: number },
  ) {
    const { clock, maxBytes, onEvent } = options;
    const { segments } = found;
    this.region = options.region;
    this.#options = options;
    this.#files = files;
    this.#cursor = cursor;
    this.#drained = cursor.position;
    this.#readThrough = cursor.position;
    this.#segments = segments;
    this.#savedMs = clock.monotonic();
    this.#writer = new SpoolWriter({
      ...{ files, clock, maxBytes, segments },
      last: Math.max(found.last, cursor.position),
      onWritten: (entries) => onEvent({ kind: "spooled", entries }),
      onRefused: (error: BimrideError) => onEvent({ kind: "refused", code: error.code, cause: error.cause }),
    });
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get depth(): SpoolDepth {
    let [entries, bytes] = [0, 0];
    for (const segment of this.#segments) {
      entries += segment.last > this.#drained ? segment.entries : 0;
      bytes += segment.bytes;
    }
    const oldest = this.#taken[0] ?? this.#segments.find((segment) => segment.entries > 0);
    const oldestAtMs = oldest ? ("writtenAtMs" in oldest ? oldest.writtenAtMs : oldest.firstAtMs) : 0;
    return { entries, bytes, oldestAtMs };
  }

  /** True when the log has all that is on the disk. What is being written does not count yet. */
  get isEmpty(): boolean {
    return this.#segments.every(({ last, bytes }) => bytes === 0 || last <= this.#drained);
  }

  /** Why a record was refused within the last seconds, or undefined. */
  get trouble(): BimrideError | undefined {
    return this.#writer.trouble;
  }

  /** Tells what an operator should know of this spool. */
  report(event: SpoolEvent): void {
    this.#options.onEvent(event);
  }

  /** Resolves with the record's position once it is on the disk; rejects with LOG_FULL or LOG_UNAVAILABLE. */
  write(partition: number, body: Uint8Array): Promise<number> {
    return this.#writer.write(partition, body);
  }

  /**
   * What became of the records from one position to another: not all of them left, the log has them all, or the disk
   * lost one (then what they held must be sent again).
   */
  fateOf(first: number, last: number): "waiting" | "drained" | "lost" {
    if (first <= this.#lostThrough) return "lost";
    for (const position of this.#lost) if (position >= first && position <= last) return "lost";
    return last <= this.#drained ? "drained" : "waiting";
  }

  /** The next record in order; undefined when all that is on the disk was taken. One call at a time. */
  async take(): Promise<Taken | undefined> {
    for (let reading = await this.#open(); reading; reading = await this.#open()) {
      const { segment, reader } = reading;
      const record = await reader.next(segment.bytes);
      if (record) {
        this.#missing(reading, record.position - 1);
        reading.expected = record.position + 1;
        this.#readThrough = Math.max(this.#readThrough, record.position);
        if (record.position <= this.#drained) continue;
        const { partition, position, body, writtenAtMs } = record;
        const taken: Taken = { partition, position, body, writtenAtMs, segment, done: false };
        this.#taken.push(taken);
        return taken;
      }
      // Nothing good up to where everything was written: it will not become good, so no more goes in here.
      if (!segment.sealed && reader.tailBytes > 0) await this.#writer.seal();
      if (!segment.sealed) return undefined;
      this.#missing(reading, segment.last);
      this.#readThrough = Math.max(this.#readThrough, segment.last);
      this.#advance();
      await this.#closeReading();
    }
    return undefined;
  }

  /** The log has the record: it need not be kept. */
  done(taken: Taken): void {
    taken.done = true;
    taken.segment.entries--;
    this.#options.onEvent({ kind: "drained", waitedMs: this.clock.now() - taken.writtenAtMs });
    this.#advance();
  }

  /**
   * Stores how far it is drained (at most every half second, or when it is empty) and gives drained files back. Not
   * during a {@link take}.
   */
  async tidy(): Promise<void> {
    if (this.isEmpty) {
      await this.#writer.seal();
      if (this.#reading?.segment.sealed && this.isEmpty) await this.#closeReading();
    }
    await this.#removeDrained();
    const dueMs = this.#savedMs + CURSOR_PERIOD_MS;
    if (this.isEmpty || this.clock.monotonic() >= dueMs) await this.#saveCursor();
  }

  /** Waits for what is being written, stores the cursor, closes the files. What is not drained stays for the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#saveCursor();
    await this.#closeReading();
    await this.#cursor.close();
  }

  async #open(): Promise<Reading | undefined> {
    if (this.#reading) return this.#reading;
    const segment = this.#segments.find(({ last, bytes }) => last > this.#readThrough && bytes > 0);
    if (!segment) return undefined;
    const file = await this.#files.open(segmentName(segment.first));
    this.#reading = {
      ...{ segment, file },
      reader: new SegmentReader(file, saltOf(segment)),
      // Positions that no segment has: one is lost, or cut short. Without a cursor nobody knows where they began.
      expected: this.#readThrough > 0 ? this.#readThrough + 1 : segment.first,
    };
    return this.#reading;
  }

  async #closeReading(): Promise<void> {
    const reading = this.#reading;
    this.#reading = undefined;
    await reading?.file.close();
    await this.#removeDrained();
  }

  /** Records that should have come before `through` and can't be read. */
  #missing({ expected }: Reading, through: number): void {
    let count = 0;
    for (let position = Math.max(expected, this.#drained + 1); position <= through; position++) {
      this.#lost.add(position);
      count++;
    }
    if (count === 0) return;
    if (this.#lost.size > MAX_LOST) {
      this.#lostThrough = through;
      this.#lost.clear();
    }
    this.#options.onEvent({ kind: "damaged", entries: count });
    this.#advance();
  }

  #advance(): void {
    while (this.#taken[0]?.done) this.#taken.shift();
    const next = this.#taken[0];
    this.#drained = Math.max(this.#drained, next ? next.position - 1 : this.#readThrough);
  }

  async #removeDrained(): Promise<void> {
    for (const segment of [...this.#segments]) {
      if (!segment.sealed || segment.last > this.#drained || this.#reading?.segment === segment) continue;
      // What is gone from the disk is to be known as drained, or the next start takes it for lost.
      if (segment.last > this.#cursor.position) await this.#saveCursor();
      this.#segments.splice(this.#segments.indexOf(segment), 1);
      await this.#files.remove(segmentName(segment.first)).catch((cause: unknown) => {
        // It stays on the disk; the next start sees that it is drained and removes it.
        this.#options.onEvent({ kind: "untidy", cause });
      });
    }
  }

  async #saveCursor(): Promise<void> {
    this.#savedMs = this.clock.monotonic();
    // One that is under way may know less.
    while (this.#saving) await this.#saving;
    this.#saving = this.#save().finally(() => {
      this.#saving = undefined;
    });
    await this.#saving;
  }

  async #save(): Promise<void> {
    const drained = this.#drained;
    if (drained === this.#cursor.position) return;
    // Not stored, a restart repeats what was drained since: readers bear that.
    await this.#cursor.save(drained).catch((cause: unknown) => {
      this.#options.onEvent({ kind: "untidy", cause });
    });
  }
}
