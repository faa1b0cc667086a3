import { readFileSync } from "node:fs";

/** Resident memory of a process in KiB, as the operating system counts it. */
export function residentKib(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid ?? 0}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}
