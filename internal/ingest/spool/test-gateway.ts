/**
 * Usage: node test-gateway.ts FOLDER PERIOD_MS. An outlet with a spool in the folder, whose log is away when the period
 * is 0 and else stores an entry per period into `FOLDER/log.txt`, a line each. Appends numbered entries to four
 * partitions for ever and prints a line `partition text` for each that is told as spooled. For tests that kill it.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { BimrideError } from "../../core/errors.ts";
import { systemClock } from "../../core/time.ts";
import type { EventLog } from "../../eventlog/log.ts";
import { Outlet } from "../outlet.ts";
import { openSpool } from "./spool.ts";

const AT_ONCE = 8;
const [folder = "", period = "0"] = process.argv.slice(2);

const log = {
  ...{ region: "test", partitions: 4 },
  health: async () => undefined,
  async append(partition: number, body: Uint8Array): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, Number(period)));
    if (period === "0") throw new BimrideError("LOG_UNAVAILABLE");
    appendFileSync(join(folder, "log.txt"), `${partition} ${new TextDecoder().decode(body)}\n`);
    return 1;
  },
};

const spool = await openSpool({
  ...{ folder, region: "test", maxBytes: 64 << 20, clock: systemClock },
  onEvent() {},
});
const outlet = new Outlet({
  log: log as unknown as EventLog,
  ...{ spool, ioClock: systemClock, onDrained() {} },
});
process.stdout.write("up\n");
for (let n = 0; ; n += AT_ONCE) {
  const texts = Array.from({ length: AT_ONCE }, (_, i) => `${process.pid}-${n + i}`);
  const fates = await Promise.all(
    texts.map((text, i) => outlet.append(i % 4, new TextEncoder().encode(text))),
  );
  for (const [i, fate] of fates.entries())
    if (fate.in === "spool") process.stdout.write(`${i % 4} ${texts[i]}\n`);
}
