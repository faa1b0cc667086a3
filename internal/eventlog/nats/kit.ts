import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { jetstreamManager } from "@nats-io/jetstream";
import { nuid } from "@nats-io/transport-node";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { connectNats } from "../../nats/link.ts";
import type { EventLogHarness } from "../contract.ts";
import { openNatsLog } from "./log.ts";

const APPENDER = fileURLToPath(new URL("./append-until-killed.ts", import.meta.url));
const REGION = "eu1";
const HOUR_MS = 3_600_000;

/** What tests open a log with, besides the link. */
export const TEST_LOG = {
  region: REGION,
  partitions: 4,
  replicas: 1,
  retentionMs: 24 * HOUR_MS,
  maxBytes: 256 << 20,
  limits: { maxPendingLogBytes: 1 << 20 },
};

/** A name in front of streams and subjects that no other test has. */
export function freshPrefix(): string {
  return `t${nuid.next()}_`;
}

/** A log of its own on the NATS server that the tests share. */
export async function startNatsLogHarness(): Promise<EventLogHarness> {
  const prefix = freshPrefix();
  const address = sharedEngines().nats;
  const link = await connectNats({ servers: [address], name: "bimride-test" });
  return {
    open: ({ partitions, maxPendingLogBytes, maxBytes = TEST_LOG.maxBytes }) =>
      openNatsLog({ ...TEST_LOG, link, prefix, partitions, maxBytes, limits: { maxPendingLogBytes } }),
    appender: () =>
      spawn(process.execPath, [APPENDER, address, prefix], { stdio: ["ignore", "pipe", "inherit"] }),
    async [Symbol.asyncDispose]() {
      const manager = await jetstreamManager(link.connection, { checkAPI: false });
      await manager.streams.delete(`${prefix}LOG_${REGION}`);
      await link[Symbol.asyncDispose]();
    },
  };
}
