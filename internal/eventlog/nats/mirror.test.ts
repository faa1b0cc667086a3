import { DiscardPolicy, type JetStreamManager, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import { findProgram } from "../../../test/kit/engines/find-program.ts";
import { freePort } from "../../../test/kit/engines/free-port.ts";
import { startNats } from "../../../test/kit/engines/nats.ts";
import { connectNats } from "../../nats/link.ts";
import type { EventLog, LogEntry } from "../log.ts";
import { TEST_LOG } from "./kit.ts";
import { openNatsLog } from "./log.ts";
import { DUPLICATE_WINDOW_MS } from "./stream.ts";

const NAME = `LOG_${TEST_LOG.region}`;
const PATIENCE = { timeout: 30_000, interval: 20 };
const SUBJECTS = Array.from({ length: TEST_LOG.partitions }, (_, i) => `log.${TEST_LOG.region}.${i}`);
const domain = (name: string, leafnodes: string) =>
  `jetstream { store_dir: $NATS_STORE, domain: ${name} }\nleafnodes { ${leafnodes} }`;

/** All entries, as `partition:sequence:text`. */
async function everythingIn(log: EventLog): Promise<string[]> {
  const bounds = await Promise.all(SUBJECTS.map((_, i) => log.bounds(i)));
  const last = Math.max(...bounds.map((one) => one.last));
  const reading = new AbortController();
  const entries: LogEntry[] = [];
  const from = new Map(bounds.map(({ first }, i) => [i, first - 1]));
  for await (const batch of log.read(from, reading.signal)) {
    entries.push(...batch);
    if (batch.some(({ sequence }) => sequence === last)) break;
  }
  reading.abort();
  return entries
    .sort((a, b) => a.sequence - b.sequence)
    .map(({ partition, sequence, body }) => `${partition}:${sequence}:${Buffer.from(body)}`);
}

/** docs/OPERATIONS.md, Regions: the stream in the other region that follows the region's log. */
function addMirror(manager: JetStreamManager) {
  return manager.streams.add({
    name: NAME,
    mirror: { name: NAME, external: { api: "$JS.west.API", deliver: "" } },
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_age: nanos(TEST_LOG.retentionMs),
    max_bytes: TEST_LOG.maxBytes,
    num_replicas: TEST_LOG.replicas,
    allow_direct: true,
  });
}

/** Likewise: makes the mirror the region's log. */
async function promote(manager: JetStreamManager): Promise<void> {
  await manager.streams.update(NAME, {
    mirror: undefined,
    subjects: SUBJECTS,
    duplicate_window: nanos(DUPLICATE_WINDOW_MS),
  });
}

test("a mirror in another region that is promoted is the lost region's log under the same sequences, up to its lag", async ({
  skip,
}) => {
  if (findProgram("nats-server") === undefined)
    skip("leaf nodes need ports of their own choice: no container, a native nats-server");
  const leafPort = await freePort();
  const west = await startNats({ config: domain("west", `listen: "127.0.0.1:${leafPort}"`) });
  await using east = await startNats({
    config: domain("east", `remotes: [{ url: "nats-leaf://127.0.0.1:${leafPort}" }]`),
  });
  await using eastLink = await connectNats({ servers: [east.address], name: "east" });
  const manager = await jetstreamManager(eastLink.connection);
  const written: string[] = [];
  {
    await using westLink = await connectNats({ servers: [west.address], name: "west" });
    await using log = await openNatsLog({ ...TEST_LOG, link: westLink });
    const append = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const partition = i % TEST_LOG.partitions;
        const text = `entry ${written.length}`;
        written.push(`${partition}:${await log.append(partition, Buffer.from(text))}:${text}`);
      }
    };
    await append(40);
    await vi.waitFor(() => addMirror(manager), PATIENCE); // the leaf may still be connecting
    await append(60);
    const mirrored = async () => (await manager.streams.info(NAME)).state.messages;
    await vi.waitFor(async () => expect(await mirrored()).toBe(100), PATIENCE);
  }
  await west[Symbol.asyncDispose]();

  await promote(manager);
  await using log = await openNatsLog({ ...TEST_LOG, link: eastLink });
  expect(await everythingIn(log)).toEqual(written);
  // It goes on where it was: cursors and versions of the lost region stay good.
  expect(await log.append(2, Buffer.from("after"))).toBe(101);
  expect((await everythingIn(log)).at(-1)).toBe("2:101:after");
});
