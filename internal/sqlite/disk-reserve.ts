import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";

/** With so much room inside the database a write needs none of the disk. */
const FREE_INSIDE_BYTES = 1 << 20;

/** The disk has less room than the reserve; told as a full disk. */
export class DiskReserveError extends Error {
  override readonly name = "DiskReserveError";
}

/**
 * Room on the disk that growing writes leave alone. A disk filled to its last byte can't even take the transaction that
 * would trim it, nor move the write-ahead log into the database.
 */
export class DiskReserve {
  readonly #db: DatabaseSync;
  readonly #folder: string;
  readonly #bytes: number;

  constructor(db: DatabaseSync, path: string, bytes: number) {
    this.#db = db;
    this.#folder = dirname(path);
    this.#bytes = bytes;
  }

  /**
   * Throws a DiskReserveError when less than the reserve is free on the disk and trimming has not made room within the
   * database. Takes a few microseconds.
   */
  check(): void {
    const { bavail, bsize } = statfsSync(this.#folder);
    if (bavail * bsize < this.#bytes && this.#freeInside() < FREE_INSIDE_BYTES)
      throw new DiskReserveError("the disk's reserve is reached");
  }

  #freeInside(): number {
    const pages = Number(this.#db.prepare("PRAGMA freelist_count").get()!.freelist_count);
    return pages * Number(this.#db.prepare("PRAGMA page_size").get()!.page_size);
  }
}
