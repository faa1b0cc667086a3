import { argv, stdout } from "node:process";
import { systemClock } from "../../core/time.ts";
import { openSqliteLog } from "./log.ts";

/** The contract's appender: run as `node append-until-killed.ts FILE PARTITIONS`, ended with SIGKILL. */
const partitions = Number(argv[3]);
const log = await openSqliteLog({
  path: argv[2]!,
  region: "eu1",
  partitions,
  clock: systemClock,
  limits: { maxPendingLogBytes: 1 << 20 },
});
const encoder = new TextEncoder();
for (let n = 0; ; n++) {
  void log.append(n % partitions, encoder.encode(`${n}`)).then(() => stdout.write(`${n}\n`));
  if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
}
