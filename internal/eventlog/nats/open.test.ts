import {
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  type PersistMode,
  StorageType,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { connectNats, type NatsLink } from "../../nats/link.ts";
import { freshPrefix, TEST_LOG } from "./kit.ts";
import { openNatsLog } from "./log.ts";
import { DUPLICATE_WINDOW_MS, partitionSubjects } from "./stream.ts";

/** A link, a name of its own, and the stream of that name removed at the end. */
async function scene(): Promise<
  AsyncDisposable & { link: NatsLink; manager: JetStreamManager; prefix: string; stream: string }
> {
  const link = await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" });
  const manager = await jetstreamManager(link.connection, { checkAPI: false });
  const prefix = freshPrefix();
  const stream = `${prefix}LOG_eu1`;
  return {
    link,
    manager,
    prefix,
    stream,
    async [Symbol.asyncDispose]() {
      await manager.streams.delete(stream).catch(() => "a test may not have made it");
      await link[Symbol.asyncDispose]();
    },
  };
}

describe("opening the NATS log", () => {
  test("makes a stream of the settings asked for", async () => {
    await using at = await scene();
    await using log = await openNatsLog({ ...TEST_LOG, ...at });
    expect(log).toMatchObject({ region: "eu1", partitions: 4 });
    const { config } = await at.manager.streams.info(at.stream);
    expect(config).toMatchObject({
      subjects: partitionSubjects({ ...TEST_LOG, prefix: at.prefix }),
      storage: "file",
      retention: "limits",
      discard: "new",
      max_age: nanos(TEST_LOG.retentionMs),
      max_bytes: TEST_LOG.maxBytes,
      num_replicas: 1,
    });
  });

  test("by several at once makes one stream", async () => {
    await using at = await scene();
    const logs = await Promise.all(
      Array.from({ length: 5 }, () => openNatsLog({ ...TEST_LOG, link: at.link, prefix: at.prefix })),
    );
    await Promise.all(logs.map((log) => log.append(0, new Uint8Array(3))));
    expect((await at.manager.streams.info(at.stream)).state.messages).toBe(5);
    await Promise.all(logs.map((log) => log[Symbol.asyncDispose]()));
  });

  test("gives an existing stream the retention, size and ways asked for, and keeps what is in it", async () => {
    await using at = await scene();
    {
      await using log = await openNatsLog({ ...TEST_LOG, link: at.link, prefix: at.prefix });
      await log.append(0, new Uint8Array(3));
    }
    await at.manager.streams.update(at.stream, { duplicate_window: nanos(100), allow_direct: false });
    const other = { retentionMs: 2 * TEST_LOG.retentionMs, maxBytes: 2 * TEST_LOG.maxBytes };
    await using _log = await openNatsLog({ ...TEST_LOG, ...other, link: at.link, prefix: at.prefix });
    const { config, state } = await at.manager.streams.info(at.stream);
    expect(config).toMatchObject({ max_age: nanos(other.retentionMs), max_bytes: other.maxBytes });
    expect(config).toMatchObject({ duplicate_window: nanos(DUPLICATE_WINDOW_MS), allow_direct: true });
    expect(state.messages).toBe(1);
  });

  test.each([
    ["partitions", { subjects: ["log.eu1.0", "log.eu1.1"] }, /^nats\.servers: .* 2 partitions, not with 4$/],
    ["storage", { storage: StorageType.Memory }, /^nats\.servers: .* memory storage, not with file storage$/],
    ["discard policy", { discard: DiscardPolicy.Old }, /^nats\.servers: .* another policy/],
    ["max_msgs", { max_msgs: 5 }, /^nats\.servers: .* max_msgs, which could lose entries$/],
    ["max_msgs_per_subject", { max_msgs_per_subject: 3 }, / max_msgs_per_subject, which could/],
    ["max_msg_size", { max_msg_size: 10 }, / max_msg_size, which could/],
    ["max_consumers", { max_consumers: 1 }, / max_consumers, which could/],
    ["no_ack", { no_ack: true }, / no_ack, which could/],
    ["subject_transform", { subject_transform: { src: ">", dest: "elsewhere.>" } }, / subject_transform, /],
    ["allow_msg_ttl", { allow_msg_ttl: true }, / allow_msg_ttl, which could/],
    ["persist_mode", { persist_mode: "async" as PersistMode }, / persist_mode async, which could/],
  ])("refuses a stream with other %s, and leaves it as it is", async (_, different, message) => {
    await using at = await scene();
    const { subjects = partitionSubjects(TEST_LOG), ...rest } = different as { subjects?: string[] };
    await at.manager.streams.add({
      name: at.stream,
      discard: DiscardPolicy.New,
      ...rest,
      subjects: subjects.map((subject) => at.prefix + subject),
    });
    const before = (await at.manager.streams.info(at.stream)).config;
    const opening = openNatsLog({ ...TEST_LOG, link: at.link, prefix: at.prefix });
    await expect(opening).rejects.toMatchObject({
      name: "EngineError",
      message: expect.stringMatching(message),
    });
    expect((await at.manager.streams.info(at.stream)).config).toEqual(before);
  });

  test("refuses more replicas than there are servers, and makes nothing", async () => {
    await using at = await scene();
    const opening = openNatsLog({ ...TEST_LOG, replicas: 3, link: at.link, prefix: at.prefix });
    await expect(opening).rejects.toMatchObject({ name: "EngineError", setting: "nats.replicas" });
    await expect(at.manager.streams.info(at.stream)).rejects.toThrow("not found");
  });

  test("refuses subjects that another stream has", async () => {
    await using at = await scene();
    await at.manager.streams.add({ name: `${at.prefix}other`, subjects: [`${at.prefix}log.eu1.>`] });
    const opening = openNatsLog({ ...TEST_LOG, link: at.link, prefix: at.prefix });
    await expect(opening).rejects.toMatchObject({
      name: "EngineError",
      message: expect.stringMatching(/^nats\.servers: another stream has the subjects/),
    });
    await at.manager.streams.delete(`${at.prefix}other`);
  });
});

describe("the NATS log", () => {
  test("refuses an entry larger than the server takes, as such", async () => {
    await using at = await scene();
    await using log = await openNatsLog({
      ...TEST_LOG,
      limits: { maxPendingLogBytes: 8 << 20 },
      link: at.link,
      prefix: at.prefix,
    });
    await expect(log.append(0, new Uint8Array(2 << 20))).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
    expect(await log.append(0, new Uint8Array(900_000))).toBe(1);
  });

  test("begins a minute before its oldest entries leave by age, so that a new reader is not overtaken", async () => {
    await using at = await scene();
    const short = { ...TEST_LOG, retentionMs: 61_000, link: at.link, prefix: at.prefix };
    await using log = await openNatsLog(short);
    const old = await log.append(0, new Uint8Array(1));
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const young = await log.append(0, new Uint8Array(1));
    expect(await log.bounds(0)).toEqual({ first: young, last: young, end: young });
    expect(young).toBeGreaterThan(old);
    expect(await log.bounds(1)).toEqual({ first: young, last: young - 1, end: young });
  });

  test("tells that what came after a cursor was removed by somebody else", async () => {
    await using at = await scene();
    await using log = await openNatsLog({ ...TEST_LOG, link: at.link, prefix: at.prefix });
    for (let i = 0; i < 8; i++) await log.append(i % 4, new Uint8Array(1));
    const stop = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const batch of log.read(new Map([[1, 0]]), stop.signal))
        seen.push(...batch.map(({ sequence }) => sequence));
    })();
    while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await at.manager.streams.purge(at.stream);
    expect(seen).toEqual([2, 6]);
    await expect(
      (async () => {
        for await (const _ of log.read(new Map([[1, 2]]), stop.signal)) expect.unreachable();
      })(),
    ).rejects.toMatchObject({ code: "CURSOR_TOO_OLD" });
    stop.abort();
    await reading;
  });
});
