import { argv, stdout } from "node:process";
import { connectNats } from "../../nats/link.ts";
import { openNatsLog } from "./log.ts";

/** The contract's appender: run as `node append-until-killed.ts ADDRESS PREFIX`, ended with SIGKILL. */
const partitions = 4;
const log = await openNatsLog({
  link: await connectNats({ servers: [argv[2]!], name: "bimride-appender" }),
  prefix: argv[3]!,
  region: "eu1",
  partitions,
  replicas: 1,
  retentionMs: 86_400_000,
  maxBytes: 256 << 20,
  limits: { maxPendingLogBytes: 1 << 20 },
});
const encoder = new TextEncoder();
for (let n = 0; ; n++) {
  void log.append(n % partitions, encoder.encode(`${n}`)).then(() => stdout.write(`${n}\n`));
  if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
}
