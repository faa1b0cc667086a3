import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { freePort } from "../../test/kit/engines/free-port.ts";
import { startRedis } from "../../test/kit/engines/redis.ts";
import { startRedisCluster } from "../../test/kit/engines/redis-cluster.ts";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { startToxiproxy } from "../../test/kit/engines/toxiproxy.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { BimrideError } from "../core/errors.ts";
import { connectRedis, type RedisLink, reconnectDelayMs } from "./link.ts";
import type { RedisOptions } from "./options.ts";

const run = promisify(execFile);
const SECRET = "only-for-this-test";

function options(address: string, rest: Partial<RedisOptions> = {}): RedisOptions {
  const [host = "", port] = address.split(":");
  return { nodes: [{ host, port: Number(port) }], cluster: false, ...rest };
}

/** Answers every command with the same bytes; counts who is connected. */
async function fakeRedis(answer: string) {
  const open = new Set<unknown>();
  const server: Server = createServer((socket) => {
    open.add(socket);
    socket.on("data", (data) => {
      for (const _ of data.toString("latin1").matchAll(/\*\d+\r\n/g)) if (answer) socket.write(answer);
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => open.delete(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    connections: () => open.size,
    [Symbol.dispose]: () => void server.close(),
  };
}

async function problem(connecting: Promise<AsyncDisposable>): Promise<string> {
  const startMs = performance.now();
  try {
    await (await connecting)[Symbol.asyncDispose]();
  } catch (error) {
    expect(performance.now() - startMs).toBeLessThan(6_000);
    expect(error).toMatchObject({ name: "EngineError" });
    const { message } = error as Error;
    expect(message).not.toContain("\n");
    return message;
  }
  return expect.unreachable("it connected");
}

/** Runs a command until it is answered. */
async function untilAnswered(link: RedisLink): Promise<void> {
  for (;;) {
    try {
      await link.command("PING");
      return;
    } catch (error) {
      expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

describe("a connection to Redis that can't be had names the setting", () => {
  test("nobody answers there", async () => {
    expect(await problem(connectRedis(options("127.0.0.1:1")))).toBe(
      "redis.nodes: no Redis server answers at 127.0.0.1:1",
    );
    expect(await problem(connectRedis(options("nowhere.invalid:6379")))).toMatch(/^redis\.nodes: no Redis/);
    const nodes = [1, 2, 3].map((port) => ({ host: "127.0.0.1", port }));
    expect(await problem(connectRedis({ nodes, cluster: true }))).toBe(
      "redis.nodes: no Redis server answers at 127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3",
    );
  });

  test("somebody answers who says nothing, or is no Redis server; nothing is left open", async () => {
    using silent = await fakeRedis("");
    expect(await problem(connectRedis(options(silent.address)))).toBe(
      `redis.nodes: the Redis server at ${silent.address} does not answer`,
    );
    expect(await problem(connectRedis(options(silent.address, { tls: {} })))).toMatch(/^redis\.tls: /);
    using other = await fakeRedis("HTTP/1.1 400 Bad Request\r\n\r\n");
    expect(await problem(connectRedis(options(other.address)))).toMatch(
      /^redis\.(tls|nodes): .* speak Redis/,
    );
    await expect.poll(() => silent.connections() + other.connections()).toBe(0);
  });

  test("the password is wrong, or missing, or the user unknown", async () => {
    await using server = await startRedis({ args: ["--requirepass", SECRET] });
    expect(await problem(connectRedis(options(server.address)))).toBe(
      `redis.password_file: the Redis server at ${server.address} refuses a connection without a password`,
    );
    const wrong = await problem(connectRedis(options(server.address, { password: "wrong-secret" })));
    expect(wrong).toMatch(/^redis\.password_file: .* refuses the password$/);
    const unknown = { user: "ada", password: "wrong-secret" };
    expect(await problem(connectRedis(options(server.address, unknown)))).toMatch(
      /^redis\.user: .* refuses the user or password$/,
    );
    await using link = await connectRedis(options(server.address, { password: SECRET }));
    expect(link.ready).toBe(true);
  });

  test("the user may not do what is needed", async () => {
    await using server = await startRedis();
    await using admin = await connectRedis(options(server.address));
    await admin.command("ACL", "SETUSER", "ada", "on", `>${SECRET}`, "~*", "+@all", "-info");
    expect(await problem(connectRedis(options(server.address, { user: "ada", password: SECRET })))).toMatch(
      /^redis\.user: may not do what is needed at .*NOPERM.*info/,
    );
  });

  test("the server is too old", async () => {
    const info = "redis_version:6.0.16\r\nredis_mode:standalone\r\n";
    using old = await fakeRedis(`$${info.length}\r\n${info}\r\n`);
    expect(await problem(connectRedis(options(old.address)))).toBe(
      `redis.nodes: the server at ${old.address} is Redis 6.0.16, older than 7.0`,
    );
  });

  test("it is a cluster where none is expected, the other way round, or one that is not whole", async () => {
    const { redis } = sharedEngines();
    expect(await problem(connectRedis(options(redis, { cluster: true })))).toBe(
      `redis.cluster: is true, but the server at ${redis} is no Redis Cluster`,
    );
    await using torn = await startRedis({ args: ["--cluster-enabled", "yes"] });
    expect(await problem(connectRedis(options(torn.address)))).toMatch(
      /^redis\.cluster: is false, but the server at .* is part of a Redis Cluster$/,
    );
    expect(await problem(connectRedis(options(torn.address, { cluster: true })))).toMatch(
      /^redis\.nodes: .* its state is fail$/,
    );
  });

  test("TLS is wanted and not offered, or offered and not wanted", async () => {
    expect(await problem(connectRedis(options(sharedEngines().redis, { tls: {} })))).toMatch(/^redis\.tls: /);
  });

  test("the server's certificate is not trusted, until its authority is given", async () => {
    await using folder = await tempFolder();
    const [certificate, key] = [folder.file("cert.pem"), folder.file("key.pem")];
    const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bimride-test"];
    const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    await run("openssl", [...made, ...names, "-keyout", key, "-out", certificate]);
    await using server = await startRedis();
    await using admin = await connectRedis(options(server.address));
    const files = ["tls-cert-file", certificate, "tls-key-file", key, "tls-ca-cert-file", certificate];
    await admin.command("CONFIG", "SET", ...files, "tls-auth-clients", "no");
    const tlsPort = await freePort();
    await admin.command("CONFIG", "SET", "tls-port", tlsPort);
    const address = `127.0.0.1:${tlsPort}`;
    expect(await problem(connectRedis(options(address, { tls: {} })))).toBe(
      `redis.ca_file: the certificate of the Redis server at ${address} is not trusted`,
    );
    expect(await problem(connectRedis(options(address)))).toMatch(/^redis\.tls: .* does it want TLS\?$/);
    const ca = await readFile(certificate, "utf8");
    await using link = await connectRedis(options(address, { tls: { ca } }));
    await link.command("PING");
  });
});

describe("a connection to Redis that stands", () => {
  test("refuses at once while the server is away, queues nothing, and comes back by itself", async () => {
    await using server = await startRedis();
    await using link = await connectRedis(options(server.address));
    await link.command("PING");
    await server.kill("SIGKILL");
    await expect.poll(() => link.ready).toBe(false);
    const startMs = performance.now();
    const asked = await Promise.allSettled(Array.from({ length: 5_000 }, () => link.command("PING")));
    expect(performance.now() - startMs).toBeLessThan(1_000);
    for (const each of asked)
      expect(each).toMatchObject({ status: "rejected", reason: { code: "STORE_UNAVAILABLE" } });
    await server.start();
    await untilAnswered(link);
  });

  test("rejects what was under way when the server dies", async () => {
    await using server = await startRedis();
    await using link = await connectRedis(options(server.address));
    await server.kill("SIGSTOP");
    const asked = Promise.allSettled(Array.from({ length: 100 }, () => link.command("PING")));
    await server.kill("SIGKILL");
    for (const each of await asked) expect(each).toMatchObject({ reason: { code: "STORE_UNAVAILABLE" } });
  });

  test("lets a bounded number of commands wait, each for a bounded time, while the server stands still", async () => {
    await using server = await startRedis();
    await using link = await connectRedis(options(server.address));
    await server.kill("SIGSTOP");
    const startMs = performance.now();
    const failedAfterMs = await Promise.all(
      Array.from({ length: 3_000 }, () =>
        link.command("PING").then(
          () => expect.unreachable("it was answered"),
          (error: unknown) => {
            expect(error).toBeInstanceOf(BimrideError);
            expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
            return performance.now() - startMs;
          },
        ),
      ),
    );
    expect(failedAfterMs.filter((ms) => ms < 1_000)).toHaveLength(1_000);
    expect(Math.max(...failedAfterMs)).toBeLessThan(5_000);
    await server.kill("SIGCONT");
    await untilAnswered(link);
  });

  test("gets over a link that is half-open, slow or cut", { timeout: 60_000 }, async () => {
    await using proxy = await startToxiproxy();
    const way = await proxy.link(sharedEngines().redis);
    await using link = await connectRedis(options(way.address));
    await way.harm("latency", { latency: 300, jitter: 0 }, "downstream");
    await link.command("PING");
    await way.heal();
    await way.harm("timeout", { timeout: 0 });
    const startMs = performance.now();
    await expect(link.command("PING")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(performance.now() - startMs).toBeLessThan(4_000);
    await expect.poll(() => link.ready, { timeout: 10_000 }).toBe(false);
    await way.heal();
    await untilAnswered(link);
    await way.cut();
    await expect.poll(() => link.ready).toBe(false);
    await way.heal();
    await untilAnswered(link);
  });

  test("closes in bounded time, once, also when the server is gone or says nothing", async () => {
    await using server = await startRedis();
    const closed = async (link: RedisLink) => {
      const startMs = performance.now();
      await Promise.all([link[Symbol.asyncDispose](), link[Symbol.asyncDispose]()]);
      await link[Symbol.asyncDispose]();
      expect(performance.now() - startMs).toBeLessThan(3_000);
      await expect(link.command("PING")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    };
    await closed(await connectRedis(options(server.address)));
    const silent = await connectRedis(options(server.address));
    const gone = await connectRedis(options(server.address));
    await server.kill("SIGSTOP");
    await closed(silent);
    await server.kill("SIGCONT");
    await server.kill("SIGKILL");
    await expect.poll(() => gone.ready).toBe(false);
    await closed(gone);
  });

  test("tells errors of attempts to come back to whoever listens", async () => {
    await using server = await startRedis();
    const heard: Error[] = [];
    await using _link = await connectRedis(options(server.address), { failed: (error) => heard.push(error) });
    await server.kill("SIGKILL");
    await expect.poll(() => heard.length).toBeGreaterThan(1);
  });

  test("learns a script again that the server forgot", async () => {
    await using server = await startRedis();
    await using link = await connectRedis(options(server.address));
    const two = link.script("two", "return { KEYS[1], 2 }");
    for (let i = 0; i < 3; i++) {
      expect(await two(["k"], [])).toEqual([Buffer.from("k"), 2]);
      await link.command("SCRIPT", "FLUSH");
    }
    expect(await Promise.all([two(["k"], []), two(["l"], [])])).toHaveLength(2);
  });

  test("says INTERNAL for what is the fault of the command, without its arguments", async () => {
    await using link = await connectRedis(options(sharedEngines().redis));
    const failure = await link.command("GEOADD", "k", "777.125", "57.7012345", "m").catch((e: unknown) => e);
    expect(failure).toMatchObject({ code: "INTERNAL" });
    const told = JSON.stringify({ ...(failure as Error), cause: String((failure as Error).cause) });
    expect(told).not.toMatch(/777|57\.7/);
  });
});

describe("a connection to a Redis Cluster", () => {
  test("goes on with the other nodes while one is away, and with all when it is back", {
    timeout: 90_000,
  }, async () => {
    await using cluster = await startRedisCluster(3);
    const nodes = cluster.addresses.flatMap((address) => options(address).nodes);
    await using link = await connectRedis({ nodes, cluster: true });
    await link.command("CONFIG", "GET", "port");
    const setAll = () =>
      Promise.allSettled(Array.from({ length: 60 }, (_, i) => link.command("SET", `k${i}`, i, "PX", 60_000)));
    expect((await setAll()).every(({ status }) => status === "fulfilled")).toBe(true);
    await cluster.nodes[1]!.kill("SIGKILL");
    const startMs = performance.now();
    const some = await setAll();
    expect(performance.now() - startMs).toBeLessThan(5_000);
    for (const each of some)
      if (each.status === "rejected") expect(each.reason).toMatchObject({ code: "STORE_UNAVAILABLE" });
    await cluster.nodes[1]!.start();
    await expect
      .poll(async () => (await setAll()).every(({ status }) => status === "fulfilled"), { timeout: 30_000 })
      .toBe(true);
  });

  test("is found through any node that lives, and closes in bounded time when none does", async () => {
    await using cluster = await startRedisCluster(3);
    const dead = { host: "127.0.0.1", port: 1 };
    const link = await connectRedis({
      nodes: [dead, ...options(cluster.addresses[2]!).nodes],
      cluster: true,
    });
    await link.command("SET", "k", 1, "PX", 60_000);
    for (const node of cluster.nodes) await node.kill("SIGKILL");
    for (let i = 0; i < 20; i++) {
      const askedMs = performance.now();
      await expect(link.command("GET", `k${i}`)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(performance.now() - askedMs).toBeLessThan(3_000);
    }
    const startMs = performance.now();
    await link[Symbol.asyncDispose]();
    expect(performance.now() - startMs).toBeLessThan(3_000);
  });
});

test("attempts to come back are spread by chance, and never far apart", () => {
  expect([1, 2, 3, 10, 50].map((attempt) => reconnectDelayMs(attempt, () => 0.5))).toEqual([
    50, 100, 200, 2_000, 2_000,
  ]);
  expect(reconnectDelayMs(50, () => 0.999)).toBeLessThan(3_000);
});
