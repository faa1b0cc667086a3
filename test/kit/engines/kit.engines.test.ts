import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { Client } from "cassandra-driver";
import { Redis } from "ioredis";
import { describe, expect, test, vi } from "vitest";
import { tempFolder } from "../temp-folder.ts";
import { CASSANDRA_DATA_CENTER, startCassandra } from "./cassandra.ts";
import type { Engine, StartOptions } from "./engine.ts";
import { startNats } from "./nats.ts";
import { startNatsCluster } from "./nats-cluster.ts";
import { startRedis } from "./redis.ts";
import { sharedEngines } from "./shared.ts";
import { startToxiproxy } from "./toxiproxy.ts";

type Kind = {
  name: string;
  start: (options?: StartOptions) => Promise<Engine>;
  /** Writes something that is acknowledged. */
  write: (address: string) => Promise<void>;
  /** How many of these writes the engine holds. */
  count: (address: string) => Promise<number>;
};

const KINDS: readonly Kind[] = [
  {
    name: "NATS, as it survives a crash",
    start: (options) => startNats(options),
    ...{ write: publish, count: countMessages },
  },
  {
    name: "NATS, acked on disk",
    start: (options) => startNats({ ...options, profile: "acked-on-disk" }),
    ...{ write: publish, count: countMessages },
  },
  { name: "Redis", start: (options) => startRedis(options), write: push, count: countPushed },
  {
    name: "Cassandra",
    start: (options) => startCassandra({ ...options, heapMb: 256 }),
    ...{ write: insert, count: countRows },
  },
];

test("a run shares one engine of each kind", () => {
  for (const address of Object.values(sharedEngines())) expect(address).toMatch(/^[\d.]+:\d+$/);
});

describe.each(KINDS)("$name", ({ start, write, count }) => {
  test("keeps what it acknowledged over kill -9, at the same address", async () => {
    await using engine = await start();
    const { address } = engine;
    await write(address);
    await engine.kill("SIGKILL");
    expect(engine.pid).toBeUndefined();
    await expect(engine.kill("SIGKILL")).rejects.toThrow("does not run");
    await engine.start();
    expect(engine.address).toBe(address);
    expect(await count(address)).toBe(1);
  });

  test("runs twice side by side, and nothing is left of either", async () => {
    let gone: (number | undefined)[];
    {
      await using first = await start();
      await using second = await start();
      await write(first.address);
      expect([await count(first.address), await count(second.address)]).toEqual([1, 0]);
      gone = [first.pid, second.pid];
    }
    expect(gone.map(isAlive)).toEqual([false, false]);
  });
});

test("a given folder is kept, and the next start on it finds its data", async () => {
  await using folder = await tempFolder();
  {
    await using engine = await startRedis({ folder: folder.file("redis") });
    await push(engine.address);
  }
  await using again = await startRedis({ folder: folder.file("redis") });
  expect(await countPushed(again.address)).toBe(1);
});

test("a stopped server keeps its process and answers again once it goes on", async () => {
  await using engine = await startRedis();
  await engine.kill("SIGSTOP");
  expect(isAlive(engine.pid)).toBe(true);
  await engine.kill("SIGCONT");
  expect(await countPushed(engine.address)).toBe(0);
});

test("a server that can't start says why and leaves no folder", async () => {
  const started = startNats({ config: "no_such_entry: 1" });
  await expect(started).rejects.toThrow(/did not start.*no_such_entry/s);
  const folder = /(\S*bimride-nats-\w+)/.exec(String(await started.catch(String)))?.[1];
  expect(existsSync(folder!)).toBe(false);
});

test("a server ends and its folder goes when the process that started it is killed", async () => {
  const nats = new URL("nats.ts", import.meta.url).href;
  const script = `const engine = await (await import(${JSON.stringify(nats)})).startNats();
    console.log(engine.pid);
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);
  child.kill("SIGKILL");
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000 });
});

test("three NATS servers keep a stream of three replicas when its leader is killed", async () => {
  await using cluster = await startNatsCluster(3);
  const connection = await connect({ servers: [...cluster.addresses], maxReconnectAttempts: -1 });
  try {
    const manager = await jetstreamManager(connection);
    const { cluster: made } = await manager.streams.add({ name: "S", subjects: ["s"], num_replicas: 3 });
    await jetstream(connection).publish("s", "one");
    await cluster.nodes.find(({ serverName }) => serverName === made?.leader)!.kill("SIGKILL");
    await vi.waitFor(() => jetstream(connection).publish("s", "two", { timeout: 1_000 }), {
      timeout: 30_000,
    });
    const { state } = await manager.streams.info("S");
    expect(state.messages).toBeGreaterThanOrEqual(2);
  } finally {
    await connection.close();
  }
});

test("a link can be slow, cut and healed", async () => {
  await using engine = await startRedis();
  await using proxy = await startToxiproxy();
  const link = await proxy.link(engine.address);
  await link.harm("latency", { latency: 150 }, "downstream");
  const startedAt = performance.now();
  expect(await countPushed(link.address)).toBe(0);
  expect(performance.now() - startedAt).toBeGreaterThan(150);
  await link.cut();
  await expect(countPushed(link.address)).rejects.toThrow();
  await link.heal();
  expect(await countPushed(link.address)).toBe(0);
});

function isAlive(pid: number | undefined): boolean {
  try {
    process.kill(pid!, 0);
    return true;
  } catch {
    return false; // ESRCH: no such process
  }
}

async function publish(address: string): Promise<void> {
  const connection = await connect({ servers: address });
  try {
    await (await jetstreamManager(connection)).streams.add({ name: "S", subjects: ["s"] });
    await jetstream(connection).publish("s", "one");
  } finally {
    await connection.close();
  }
}

async function countMessages(address: string): Promise<number> {
  const connection = await connect({ servers: address });
  try {
    const manager = await jetstreamManager(connection);
    const streams = await manager.streams.list().next();
    return streams.reduce((sum, stream) => sum + stream.state.messages, 0);
  } finally {
    await connection.close();
  }
}

async function withRedis<Result>(address: string, use: (redis: Redis) => Promise<Result>): Promise<Result> {
  const redis = new Redis(`redis://${address}`, { lazyConnect: true, retryStrategy: () => null });
  redis.on("error", () => undefined); // the command that meets it rejects too
  try {
    await redis.connect();
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

async function push(address: string): Promise<void> {
  await withRedis(address, (redis) => redis.rpush("pushed", "one"));
}

function countPushed(address: string): Promise<number> {
  return withRedis(address, (redis) => redis.llen("pushed"));
}

async function withCassandra<Result>(
  address: string,
  use: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client({ contactPoints: [address], localDataCenter: CASSANDRA_DATA_CENTER });
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.shutdown();
  }
}

async function insert(address: string): Promise<void> {
  await withCassandra(address, async (client) => {
    await client.execute(
      "CREATE KEYSPACE kit WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    );
    await client.execute("CREATE TABLE kit.written (id int PRIMARY KEY)");
    await client.execute("INSERT INTO kit.written (id) VALUES (1)");
  });
}

function countRows(address: string): Promise<number> {
  return withCassandra(address, async (client) => {
    if (!client.metadata.keyspaces.kit) return 0;
    const { rows } = await client.execute("SELECT id FROM kit.written");
    return rows.length;
  });
}
