import { type FileHandle, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { BimrideError } from "../../core/errors.ts";

/** One file of a spool. Positions and sizes in bytes. */
export type SpoolFile = {
  /** Writes all of it, or rejects; then any part of it may be there. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Resolves once everything written is on the disk. */
  sync(): Promise<void>;
  /** Fills `into` from the position on; resolves with the bytes read, fewer only at the file's end. */
  read(into: Uint8Array, position: number): Promise<number>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
};

/** What a spool needs of a folder. Injected, so that tests can crash at any byte and run out of room. */
export type SpoolFiles = {
  list(): Promise<{ name: string; bytes: number }[]>;
  /** Opens the file for reading and writing; a new one's name is on the disk when this resolves. */
  open(name: string): Promise<SpoolFile>;
  remove(name: string): Promise<void>;
};

const FULL_CODES: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** LOG_FULL when the disk (or a quota or limit on it) is full, else LOG_UNAVAILABLE; the error is the hidden cause. */
export function asSpoolError(cause: unknown): BimrideError {
  if (cause instanceof BimrideError) return cause;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (FULL_CODES.has(code))
    return new BimrideError("LOG_FULL", "The log is away and the disk of the spool is full.", { cause });
  return new BimrideError("LOG_UNAVAILABLE", "The log is away and the spool can't be written.", { cause });
}

/** The folder on the disk, made when missing. All of it happens in the runtime's own threads, not on the event loop. */
export async function diskFiles(folder: string): Promise<SpoolFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const syncFolder = async () => {
    await using handle = await open(folder, "r");
    await handle.sync();
  };
  return {
    async list() {
      const names = await readdir(folder);
      return Promise.all(names.map(async (name) => ({ name, bytes: (await stat(join(folder, name))).size })));
    },
    async open(name) {
      const handle = await openOrCreate(join(folder, name));
      if (handle.created) await syncFolder();
      return diskFile(handle.file);
    },
    async remove(name) {
      await unlink(join(folder, name));
    },
  };
}

async function openOrCreate(path: string): Promise<{ file: FileHandle; created: boolean }> {
  try {
    return { file: await open(path, "r+"), created: false };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    return { file: await open(path, "wx+", 0o600), created: true };
  }
}

function diskFile(handle: FileHandle): SpoolFile {
  return {
    async write(bytes, position) {
      for (let written = 0; written < bytes.byteLength; ) {
        const rest = bytes.byteLength - written;
        written += (await handle.write(bytes, written, rest, position + written)).bytesWritten;
      }
    },
    sync: () => handle.datasync(),
    async read(into, position) {
      let got = 0;
      while (got < into.byteLength) {
        const { bytesRead } = await handle.read(into, got, into.byteLength - got, position + got);
        if (bytesRead === 0) break;
        got += bytesRead;
      }
      return got;
    },
    truncate: (bytes) => handle.truncate(bytes),
    close: () => handle.close(),
  };
}
