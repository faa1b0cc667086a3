import { jetstreamManager } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { nuid } from "@nats-io/transport-node";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import { systemClock } from "../../core/time.ts";
import { connectNats } from "../../nats/link.ts";
import type { LeasesHarness, SnapshotsHarness } from "../contract.ts";
import { openNatsLeases } from "./leases.ts";
import { openNatsSnapshots } from "./snapshots.ts";

/** What tests open leases and snapshots with, besides the link. */
export const TEST_REGION = { region: "eu1", replicas: 1 };

/** A name in front of buckets that no other test has. */
export function freshPrefix(): string {
  return `t${nuid.next()}_`;
}

/** Leases of their own on the NATS server that the tests share. */
export async function startNatsLeasesHarness(): Promise<LeasesHarness> {
  const prefix = freshPrefix();
  const link = await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" });
  let opened = 0;
  return {
    open: ({ clock, partitions }) =>
      openNatsLeases({
        ...TEST_REGION,
        ...{ link, prefix, partitions, limits: DEFAULT_LIMITS },
        memberId: `m${++opened}`,
        clock: { ...systemClock, ...clock },
        onError: () => {},
      }),
    async [Symbol.asyncDispose]() {
      const manager = await jetstreamManager(link.connection, { checkAPI: false });
      await manager.streams.delete(`KV_${prefix}LEASES_eu1`);
      await link[Symbol.asyncDispose]();
    },
  };
}

/** Snapshots of their own on the NATS server that the tests share. */
export async function startNatsSnapshotsHarness(): Promise<SnapshotsHarness> {
  const prefix = freshPrefix();
  const link = await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" });
  return {
    open: () => openNatsSnapshots({ ...TEST_REGION, link, prefix }),
    async damage(name, change) {
      const store = await new Objm(link.connection).open(`${prefix}SNAPSHOTS_eu1`);
      const stored = await store.getBlob(name);
      await store.putBlob({ name }, change(Buffer.from(stored!)));
    },
    async [Symbol.asyncDispose]() {
      const manager = await jetstreamManager(link.connection, { checkAPI: false });
      await manager.streams.delete(`OBJ_${prefix}SNAPSHOTS_eu1`);
      await link[Symbol.asyncDispose]();
    },
  };
}
