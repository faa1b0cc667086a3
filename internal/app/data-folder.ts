import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EngineError } from "../core/engine-error.ts";
import { makeFolder } from "./make-folder.ts";

/** A data folder that is in use already; the message says by whom. */
export class DataFolderHeldError extends Error {
  override readonly name = "DataFolderHeldError";
}

/** The folder of everything that outlives the process, held by one process at a time. */
export type DataFolder = Disposable & {
  /** Path of something in the folder. */
  path(...parts: string[]): string;
};

const LOCK = "lock.sqlite";
/** SQLite's primary code of a lock that somebody else has. */
const SQLITE_BUSY = 5;

/**
 * Makes and holds the folder. The hold is a lock of the operating system on a file in it, so it ends with the process,
 * however that ends; a second start says who holds it. Where nothing was kept meanwhile, the end of the hold takes away
 * what this made: the lock's file and the folders.
 * @param fresh empty the folder first
 * @throws DataFolderHeldError, and an EngineError when it can't be made or written
 */
export function openDataFolder(folder: string, fresh: boolean): DataFolder {
  try {
    return openFolder(folder, fresh);
  } catch (error) {
    throw folderProblem(folder, error);
  }
}

function openFolder(folder: string, fresh: boolean): DataFolder {
  const firstMade = makeFolder(folder);
  const holderFile = join(folder, "holder");
  let madeLock = !existsSync(join(folder, LOCK));
  let lock = hold(folder, holderFile);
  if (fresh) {
    lock.close();
    rmSync(folder, { recursive: true, force: true });
    makeFolder(folder);
    madeLock = true;
    lock = hold(folder, holderFile);
  }
  writeFileSync(holderFile, `process ${process.pid} since ${new Date().toISOString()}\n`);
  return {
    path: (...parts) => join(folder, ...parts),
    [Symbol.dispose]() {
      rmSync(holderFile, { force: true });
      const nothingKept = madeLock && holdsNothing(folder);
      // While it is still held: a moment later it may be somebody else's.
      if (nothingKept) rmSync(join(folder, LOCK), { force: true });
      lock.close();
      if (nothingKept && firstMade !== undefined) removeEmpty(folder, firstMade);
    },
  };
}

/** Locks the file that is in the folder when it has the lock, which may be another one than it opened. */
function hold(folder: string, holderFile: string): DatabaseSync {
  const path = join(folder, LOCK);
  for (;;) {
    makeFolder(folder);
    closeSync(openSync(path, "a", 0o600));
    const opened = statSync(path).ino;
    const lock = new DatabaseSync(path, { timeout: 0 });
    try {
      lock.exec(
        "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (one INTEGER); COMMIT;",
      );
    } catch (error) {
      lock.close();
      if ((Number((error as { errcode?: number }).errcode) & 0xff) !== SQLITE_BUSY) throw error;
      throw new DataFolderHeldError(
        `${folder} is held by ${holder(holderFile)}; stop it, or use another folder with --data`,
        { cause: error },
      );
    }
    // Who held it before may just have taken the file away, and a lock on that one keeps nobody out.
    if (statSync(path, { throwIfNoEntry: false })?.ino === opened) return lock;
    lock.close();
  }
}

/** What an error of the system or of SQLite means for whoever named the folder; ours stay what they are. */
function folderProblem(folder: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof DataFolderHeldError || code === undefined) return error;
  if (code === "ENOTDIR" || code === "EEXIST")
    return new EngineError("data.dir", `${folder} is a file, or lies in one`, { cause: error });
  const why = code === "ERR_SQLITE_ERROR" ? `${LOCK}: ${message}` : code;
  return new EngineError("data.dir", `${folder} can't be made, or not be written to (${why})`, {
    cause: error,
  });
}

function holdsNothing(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).every((name) => name.startsWith(LOCK));
}

/** Removes the folder and those above it, up to the first one that was made, as far as nothing is in them. */
function removeEmpty(folder: string, firstMade: string): void {
  const top = resolve(firstMade);
  try {
    for (let each = resolve(folder); each.startsWith(top); each = dirname(each)) rmdirSync(each);
  } catch {
    // Somebody put something there, or took it away, meanwhile: it is theirs.
  }
}

function holder(holderFile: string): string {
  try {
    return readFileSync(holderFile, "utf8").trim();
  } catch {
    return "another process"; // it has not written its name yet, or is just leaving
  }
}
