import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** A data folder that is in use already; the message says by whom. */
export class DataFolderHeldError extends Error {
  override readonly name = "DataFolderHeldError";
}

/** The folder of everything that outlives the process, held by one process at a time. */
export type DataFolder = Disposable & {
  /** Path of something in the folder. */
  path(...parts: string[]): string;
};

/**
 * Makes and holds the folder. The hold is a lock of the operating system on a file in it, so it ends with the process,
 * however that ends; a second start says who holds it.
 * @param fresh empty the folder first
 * @throws DataFolderHeldError
 */
export function openDataFolder(folder: string, fresh: boolean): DataFolder {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const holderFile = join(folder, "holder");
  let lock = hold(folder, holderFile);
  if (fresh) {
    lock.close();
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    lock = hold(folder, holderFile);
  }
  writeFileSync(holderFile, `process ${process.pid} since ${new Date().toISOString()}\n`);
  return {
    path: (...parts) => join(folder, ...parts),
    [Symbol.dispose]() {
      rmSync(holderFile, { force: true });
      lock.close();
    },
  };
}

function hold(folder: string, holderFile: string): DatabaseSync {
  const lock = new DatabaseSync(join(folder, "lock.sqlite"), { timeout: 0 });
  try {
    lock.exec(
      "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (one INTEGER); COMMIT;",
    );
    return lock;
  } catch (error) {
    lock.close();
    throw new DataFolderHeldError(
      `${folder} is held by ${holder(holderFile)}; stop it, or use another folder with --data`,
      {
        cause: error,
      },
    );
  }
}

function holder(holderFile: string): string {
  try {
    return readFileSync(holderFile, "utf8").trim();
  } catch {
    return "another process"; // it has not written its name yet, or is just leaving
  }
}
