import { jetstreamManager } from "@nats-io/jetstream";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { freshPrefix, TEST_LOG } from "../eventlog/nats/kit.ts";
import { openNatsLog } from "../eventlog/nats/log.ts";
import { connectNats } from "../nats/link.ts";
import { gapSuite } from "./gaps-suite.ts";

gapSuite("the NATS log", async ({ limits }) => {
  const prefix = freshPrefix();
  const link = await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" });
  const { partitions } = limits;
  const log = await openNatsLog({
    ...TEST_LOG,
    link,
    prefix,
    partitions,
    limits: { maxPendingLogBytes: 8 << 20 },
  });
  return {
    log,
    timePasses: () => new Promise((resolve) => setTimeout(resolve, 3)),
    async [Symbol.asyncDispose]() {
      await log[Symbol.asyncDispose]();
      const manager = await jetstreamManager(link.connection, { checkAPI: false });
      await manager.streams.delete(`${prefix}LOG_${TEST_LOG.region}`);
      await link[Symbol.asyncDispose]();
    },
  };
});
