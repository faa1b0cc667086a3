import { DEFAULT_LIMITS } from "../../core/limits.ts";
import { systemClock } from "../../core/time.ts";
import { connectNats } from "../../nats/link.ts";
import { LeaseRecord } from "./lease-record.ts";
import { openNatsLeases } from "./leases.ts";

// A member of its own, for tests: says every 2 ms which of its leases are valid, in lines of JSON, until it is killed.
const [address = "", prefix = "", memberId = ""] = process.argv.slice(2);
const link = await connectNats({ servers: [address], name: memberId });
const leases = await openNatsLeases({
  ...{ link, prefix, memberId, region: "eu1", replicas: 1, partitions: 16 },
  ...{ clock: systemClock, limits: DEFAULT_LIMITS, onError: () => {} },
});
const record = new LeaseRecord(1e9);
await leases.held((now) => record.add(now));
setInterval(() => {
  const valid = record.look();
  const keys = new Set(valid.map(({ partition, epoch }) => `${partition} ${epoch}`));
  const seen = record.seen
    .filter(({ partition, epoch }) => keys.has(`${partition} ${epoch}`))
    .map((each) => [each.partition, each.epoch, String(each.firstNs), String(each.lastNs)]);
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}, 2);
