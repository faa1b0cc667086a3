import { describe, expect, test } from "vitest";
import { freePort } from "../../test/kit/engines/free-port.ts";
import { startRedis } from "../../test/kit/engines/redis.ts";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { fakeServer } from "../../test/kit/fake-server.ts";
import { problemOf } from "../../test/kit/problem-of.ts";
import { selfSigned } from "../../test/kit/self-signed.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { fakeRedis, redisAt } from "./kit.ts";
import { connectRedis } from "./link.ts";

const SECRET = "only-for-this-test";

const problem = (connecting: Promise<AsyncDisposable>) => problemOf(connecting, 6_000);

describe("a connection to Redis that can't be had names the setting", () => {
  test("nobody answers there", async () => {
    expect(await problem(connectRedis(redisAt("127.0.0.1:1")))).toBe(
      "redis.nodes: no Redis server answers at 127.0.0.1:1",
    );
    expect(await problem(connectRedis(redisAt("nowhere.invalid:6379")))).toMatch(/^redis\.nodes: no Redis/);
    const nodes = [1, 2, 3].map((port) => ({ host: "127.0.0.1", port }));
    expect(await problem(connectRedis({ nodes, cluster: true }))).toBe(
      "redis.nodes: no Redis server answers at 127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3",
    );
  });

  test("somebody answers who says nothing, or is no Redis server; nothing is left open", async () => {
    using silent = await fakeServer();
    expect(await problem(connectRedis(redisAt(silent.address)))).toBe(
      `redis.nodes: the Redis server at ${silent.address} does not answer`,
    );
    expect(await problem(connectRedis(redisAt(silent.address, { tls: {} })))).toMatch(/^redis\.tls: /);
    using other = await fakeRedis("HTTP/1.1 400 Bad Request\r\n\r\n");
    expect(await problem(connectRedis(redisAt(other.address)))).toMatch(
      /^redis\.(tls|nodes): .* speak Redis/,
    );
    await expect.poll(() => silent.connections() + other.connections()).toBe(0);
  });

  test("the password is wrong, or missing, or the user unknown", async () => {
    await using server = await startRedis({ args: ["--requirepass", SECRET] });
    expect(await problem(connectRedis(redisAt(server.address)))).toBe(
      `redis.password_file: the Redis server at ${server.address} refuses a connection without a password`,
    );
    const wrong = await problem(connectRedis(redisAt(server.address, { password: "wrong-secret" })));
    expect(wrong).toMatch(/^redis\.password_file: .* refuses the password$/);
    const unknown = { user: "ada", password: "wrong-secret" };
    expect(await problem(connectRedis(redisAt(server.address, unknown)))).toMatch(
      /^redis\.user: .* refuses the user or password$/,
    );
    await using link = await connectRedis(redisAt(server.address, { password: SECRET }));
    expect(link.ready).toBe(true);
  });

  test("the user may not do what is needed", async () => {
    await using server = await startRedis();
    await using admin = await connectRedis(redisAt(server.address));
    await admin.command("ACL", "SETUSER", "ada", "on", `>${SECRET}`, "~*", "+@all", "-info");
    expect(await problem(connectRedis(redisAt(server.address, { user: "ada", password: SECRET })))).toMatch(
      /^redis\.user: may not do what is needed at .*NOPERM.*info/,
    );
  });

  test("the server is too old", async () => {
    const info = "redis_version:6.0.16\r\nredis_mode:standalone\r\n";
    using old = await fakeRedis(`$${info.length}\r\n${info}\r\n`);
    expect(await problem(connectRedis(redisAt(old.address)))).toBe(
      `redis.nodes: the server at ${old.address} is Redis 6.0.16, older than 7.0`,
    );
  });

  test("it is a cluster where none is expected, the other way round, or one that is not whole", async () => {
    const { redis } = sharedEngines();
    expect(await problem(connectRedis(redisAt(redis, { cluster: true })))).toBe(
      `redis.cluster: is true, but the server at ${redis} is no Redis Cluster`,
    );
    await using torn = await startRedis({ args: ["--cluster-enabled", "yes"] });
    expect(await problem(connectRedis(redisAt(torn.address)))).toMatch(
      /^redis\.cluster: is false, but the server at .* is part of a Redis Cluster$/,
    );
    expect(await problem(connectRedis(redisAt(torn.address, { cluster: true })))).toMatch(
      /^redis\.nodes: .* its state is fail$/,
    );
  });

  test("TLS is wanted and not offered, or offered and not wanted", async () => {
    expect(await problem(connectRedis(redisAt(sharedEngines().redis, { tls: {} })))).toMatch(/^redis\.tls: /);
  });

  test("the server's certificate is not trusted, until its authority is given", async () => {
    await using folder = await tempFolder();
    const { certificate, key, ca } = await selfSigned(folder);
    await using server = await startRedis();
    await using admin = await connectRedis(redisAt(server.address));
    const files = ["tls-cert-file", certificate, "tls-key-file", key, "tls-ca-cert-file", certificate];
    await admin.command("CONFIG", "SET", ...files, "tls-auth-clients", "no");
    const tlsPort = await freePort();
    await admin.command("CONFIG", "SET", "tls-port", tlsPort);
    const address = `127.0.0.1:${tlsPort}`;
    expect(await problem(connectRedis(redisAt(address, { tls: {} })))).toBe(
      `redis.ca_file: the certificate of the Redis server at ${address} is not trusted`,
    );
    expect(await problem(connectRedis(redisAt(address)))).toMatch(/^redis\.tls: .* does it want TLS\?$/);
    await using link = await connectRedis(redisAt(address, { tls: { ca } }));
    await link.command("PING");
  });
});
