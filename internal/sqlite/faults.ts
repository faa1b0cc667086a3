import { DiskReserveError } from "./disk-reserve.ts";

/** What can be wrong with a database, as far as an engine must tell it apart. */
export type FaultKind = "full" | "locked" | "damaged" | "conflict" | "other";
/** A fault as it crosses the thread boundary. The message names no content of the database. */
export type Fault = { kind: FaultKind; message: string };

/** Primary result codes of https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CONSTRAINT = 19;
const SQLITE_NOTADB = 26;

const MESSAGES: Record<Exclude<FaultKind, "other">, string> = {
  full: "The database can't grow: the disk or its limit is full.",
  locked: "Another process has locked the database.",
  conflict: "Another process has written to the database.",
  damaged: "The database file is damaged or not a database.",
};

/** Tells the kind of an error by its SQLite result code. */
export function faultOf(error: unknown): Fault {
  const kind = kindOf(error);
  return { kind, message: kind === "other" ? messageOf(error) : MESSAGES[kind] };
}

function kindOf(error: unknown): FaultKind {
  if (error instanceof DiskReserveError) return "full";
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  if (code === SQLITE_FULL) return "full";
  if (code === SQLITE_BUSY || code === SQLITE_LOCKED) return "locked";
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return "damaged";
  if (code === SQLITE_CONSTRAINT) return "conflict";
  return "other";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
