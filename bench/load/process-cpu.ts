import { readFileSync } from "node:fs";

/** Clock ticks per second of /proc/PID/stat: 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100;

/** CPU seconds (user and system) that a process has used, as the operating system counts them; 0 when it is gone. */
export function cpuSecondsOf(pid: number | undefined): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid ?? 0}/stat`, "utf8");
  } catch {
    return 0; // it has ended: what it used went with it
  }
  const fields = stat.split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
