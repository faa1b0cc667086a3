import { execFileSync } from "node:child_process";

/** Files that a process has open beside its connections. */
const BESIDE = 500;

/**
 * The most files that a process may have open, as children inherit it. Node raises its own soft limit to the hard one at
 * start, so what is said here is the hard limit.
 * @throws RangeError when so many connections don't fit: only an administrator can raise it (`ulimit -Hn`)
 */
export function checkOpenFiles(connections: number): string {
  const text = execFileSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).trim();
  const limit = text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text);
  if (limit < connections + BESIDE)
    throw new RangeError(`${connections} connections need ulimit -Hn ${connections + BESIDE}; it is ${text}`);
  return text;
}
