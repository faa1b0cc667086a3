import type { SpoolFile, SpoolFiles } from "./files.ts";

type Content = { bytes: Buffer; size: number; synced: number };

/** An error as the operating system gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/**
 * A disk for faults that a real one won't produce at will: it crashes (of what was not synced any part is gone), it is
 * full from a number of bytes on, it fails. Everything else is as on a disk.
 */
export class TestDisk implements SpoolFiles {
  readonly #files = new Map<string, Content>();
  /** Writes that would make it larger fail with ENOSPC, after a part of them. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** Set to make every write or sync fail with it. */
  failure: string | undefined;
  syncs = 0;
  /** Handles that were not closed. */
  openHandles = 0;

  get names(): string[] {
    return [...this.#files.keys()].sort();
  }

  get usedBytes(): number {
    return [...this.#files.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** The bytes of a file themselves, to damage them. */
  bytesOf(name: string): Buffer {
    const { bytes, size } = this.#files.get(name)!;
    return bytes.subarray(0, size);
  }

  /** The disk as a crash leaves it. @param kept 0…1, the part of what was not synced that is there all the same */
  crashed(kept: number): TestDisk {
    const after = new TestDisk();
    for (const [name, { bytes, size, synced }] of this.#files) {
      const left = synced + Math.floor((size - synced) * kept);
      after.#files.set(name, { bytes: Buffer.from(bytes.subarray(0, left)), size: left, synced: left });
    }
    return after;
  }

  async list(): Promise<{ name: string; bytes: number }[]> {
    return [...this.#files].map(([name, { size }]) => ({ name, bytes: size }));
  }

  async open(name: string): Promise<SpoolFile> {
    await turn();
    const content = this.#files.get(name) ?? { bytes: Buffer.alloc(0), size: 0, synced: 0 };
    this.#files.set(name, content);
    this.openHandles++;
    return {
      write: (bytes, position) => this.#write(content, bytes, position),
      sync: async () => {
        await turn();
        if (this.failure) throw systemError(this.failure);
        this.syncs++;
        content.synced = content.size;
      },
      async read(into, position) {
        await turn();
        return content.bytes.copy(into, 0, position, Math.max(position, content.size));
      },
      async truncate(bytes) {
        content.size = Math.min(content.size, bytes);
        content.synced = Math.min(content.synced, bytes);
      },
      close: async () => {
        this.openHandles--;
      },
    };
  }

  async remove(name: string): Promise<void> {
    await turn();
    this.#files.delete(name);
  }

  async #write(content: Content, bytes: Uint8Array, position: number): Promise<void> {
    await turn();
    const end = position + bytes.byteLength;
    const room = this.capacityBytes - this.usedBytes;
    const part = Math.max(0, Math.min(bytes.byteLength, content.size + room - position));
    const written = this.failure ? Math.min(part, bytes.byteLength >> 1) : part;
    if (content.bytes.length < end) {
      const larger = Buffer.alloc(Math.max(end, content.bytes.length * 2));
      content.bytes.copy(larger);
      content.bytes = larger;
    }
    content.bytes.set(bytes.subarray(0, written), position);
    content.synced = Math.min(content.synced, position);
    content.size = Math.max(content.size, position + written);
    if (this.failure) throw systemError(this.failure);
    if (written < bytes.byteLength) throw systemError("ENOSPC");
  }
}

function turn(): Promise<void> {
  return new Promise(setImmediate);
}
