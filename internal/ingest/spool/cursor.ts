import { crc32 } from "node:zlib";
import type { SpoolFile, SpoolFiles } from "./files.ts";

/** Name of the cursor's file. */
export const CURSOR_NAME = "cursor";
const SLOT_BYTES = 16;

/**
 * How far a spool is drained: everything up to a position. Kept in two slots that are written in turn, so that a crash
 * in the middle of one leaves the other. An older one than the truth only makes the drain repeat.
 */
export class DrainCursor {
  readonly #file: SpoolFile;
  #position: number;
  #slot: number;

  private constructor(file: SpoolFile, position: number, slot: number) {
    this.#file = file;
    this.#position = position;
    this.#slot = slot;
  }

  /** Opens the cursor; 0 when there is none that checks. */
  static async open(files: SpoolFiles): Promise<DrainCursor> {
    const file = await files.open(CURSOR_NAME);
    const bytes = Buffer.alloc(SLOT_BYTES * 2);
    await file.read(bytes, 0);
    const slots = [0, 1].map((slot) =>
      positionIn(bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)),
    );
    const newest = slots[1]! > slots[0]! ? 1 : 0;
    return new DrainCursor(file, Math.max(0, slots[newest]!), newest);
  }

  /** The last position stored. */
  get position(): number {
    return this.#position;
  }

  /** Resolves once the position is on the disk. One call at a time. */
  async save(position: number): Promise<void> {
    const slot = 1 - this.#slot;
    const bytes = Buffer.alloc(SLOT_BYTES);
    bytes.writeDoubleLE(position, 0);
    bytes.writeUInt32LE(SLOT_BYTES, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
    await this.#file.write(bytes, slot * SLOT_BYTES);
    await this.#file.sync();
    this.#slot = slot;
    this.#position = position;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** -1 for a slot that does not check. */
function positionIn(slot: Buffer): number {
  return slot.readUInt32LE(12) === crc32(slot.subarray(0, 12)) && slot.readUInt32LE(8) === SLOT_BYTES
    ? slot.readDoubleLE(0)
    : -1;
}
