import type { SpoolFile } from "./files.ts";
import { bodyChecks, findMagic, HEADER_BYTES, MAGIC_BYTES, type RecordHead, readHead } from "./record.ts";

const READ_BYTES = 256 << 10;

/** A record as it was read. @property end offset after it */
export type ReadRecord = {
  partition: number;
  position: number;
  writtenAtMs: number;
  body: Buffer;
  end: number;
};

/**
 * Reads the records of a segment in order and steps over what is damaged: a body whose checksum is wrong by its length,
 * a damaged header by looking for the next one that checks. Where no good record follows it is the torn end of a crash.
 */
export class SegmentReader {
  readonly #file: SpoolFile;
  readonly #salt: number;
  #window: Buffer = Buffer.alloc(0);
  /** Offset of the window in the file. */
  #from = 0;
  #at = 0;
  #badFrom: number | undefined;

  constructor(file: SpoolFile, salt: number) {
    this.#file = file;
    this.#salt = salt;
  }

  /** Bytes from the last good record to the limit, once {@link next} gave undefined. */
  get tailBytes(): number {
    return this.#tail;
  }
  #tail = 0;

  /** The next good record that ends within the first `limit` bytes of the file; undefined when there is none (yet). */
  async next(limit: number): Promise<ReadRecord | undefined> {
    for (;;) {
      if (!(await this.#load(HEADER_BYTES, limit))) return this.#atEnd(limit);
      const head = readHead(this.#window, this.#at - this.#from, this.#salt);
      if (!head) {
        if (await this.#seek(limit)) continue;
        return this.#atEnd(limit);
      }
      if (!(await this.#load(HEADER_BYTES + head.bodyBytes, limit))) return this.#atEnd(limit);
      const record = this.#take(head);
      if (record) return record;
    }
  }

  #take(head: RecordHead): ReadRecord | undefined {
    const start = this.#at - this.#from + HEADER_BYTES;
    const body = this.#window.subarray(start, start + head.bodyBytes);
    const good = bodyChecks(head, body);
    if (!good) this.#badFrom ??= this.#at;
    this.#at += HEADER_BYTES + head.bodyBytes;
    if (!good) return undefined;
    this.#badFrom = undefined;
    const { partition, position, writtenAtMs } = head;
    // A copy: the window would else live as long as the longest waiting body.
    return { partition, position, writtenAtMs, body: Buffer.from(body), end: this.#at };
  }

  #atEnd(limit: number): undefined {
    this.#tail = limit - (this.#badFrom ?? this.#at);
    return undefined;
  }

  /** Moves on to what may be the next header; false when there is none before the limit. */
  async #seek(limit: number): Promise<boolean> {
    this.#badFrom ??= this.#at;
    this.#at++;
    for (;;) {
      const found = findMagic(this.#window, this.#at - this.#from);
      if (found >= 0) {
        this.#at = this.#from + found;
        return true;
      }
      this.#at = Math.max(this.#at, this.#from + this.#window.length - MAGIC_BYTES + 1);
      if (!(await this.#load(HEADER_BYTES, limit))) return false;
    }
  }

  /** True when so many bytes from here on are in the window; false when they go beyond the limit. */
  async #load(bytes: number, limit: number): Promise<boolean> {
    if (this.#at + bytes > limit) return false;
    const have = this.#from + this.#window.length - this.#at;
    if (have >= bytes) return true;
    const want = Math.min(Math.max(bytes, READ_BYTES), limit - this.#at);
    const window = Buffer.allocUnsafe(want);
    this.#window.copy(window, 0, this.#at - this.#from);
    const got = await this.#file.read(window.subarray(have), this.#at + have);
    this.#window = window.subarray(0, have + got);
    this.#from = this.#at;
    return this.#window.length >= bytes;
  }
}
