import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

export type DatabaseOptions = {
  /** File of the database; made when missing. */
  path: string;
  /** The database never gets larger than this; a write that would need more fails as on a full disk. */
  maxBytes?: number;
  /** Room on the disk that growing writes leave alone, see DiskReserve. */
  reserveBytes?: number;
  /** How long to wait for another process's lock, milliseconds. */
  lockTimeoutMs?: number;
};

/** Default of DatabaseOptions.reserveBytes: several times what the write-ahead log takes. */
export const DEFAULT_RESERVE_BYTES = 64 << 20;
/** Bytes of the write-ahead log that stay on disk after a checkpoint. */
const KEPT_WAL_BYTES = 16 << 20;

/**
 * Opens a database so that a commit is on the disk when it returns (WAL, synchronous=FULL), and brings its schema up to
 * date: `migrations[n]` is the SQL file that leads from user_version n to n + 1. Throws on a database of a newer build.
 */
export function openDatabase(options: DatabaseOptions, migrations: readonly URL[]): DatabaseSync {
  const db = new DatabaseSync(options.path, { timeout: options.lockTimeoutMs ?? 1_000 });
  try {
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = FULL");
    db.exec(`PRAGMA journal_size_limit = ${KEPT_WAL_BYTES}`);
    migrate(db, migrations);
    if (options.maxBytes !== undefined) limitSize(db, options.maxBytes);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Runs the function in a transaction: commits what it did, or undoes it and throws its error. */
export function transaction<T>(db: DatabaseSync, run: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = run();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk makes SQLite roll back by itself; a second rollback would hide the cause.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function migrate(db: DatabaseSync, migrations: readonly URL[]): void {
  const found = pragma(db, "user_version");
  if (found > migrations.length)
    throw new Error(`The database has schema ${found}, this build knows ${migrations.length}: update it.`);
  for (let version = found; version < migrations.length; version++) {
    const sql = readFileSync(migrations[version]!, "utf8");
    transaction(db, () => db.exec(`${sql};\nPRAGMA user_version = ${version + 1}`));
  }
}

function limitSize(db: DatabaseSync, maxBytes: number): void {
  const pages = Math.max(1, Math.floor(maxBytes / pragma(db, "page_size")));
  db.exec(`PRAGMA max_page_count = ${pages}`);
}

function pragma(db: DatabaseSync, name: "user_version" | "page_size"): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()![name]);
}
