import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { startNats } from "../../test/kit/engines/nats.ts";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { systemClock } from "../core/time.ts";
import { connectNats } from "./link.ts";
import type { NatsOptions } from "./options.ts";

const run = promisify(execFile);

const options = (address: string, rest: Partial<NatsOptions> = {}): NatsOptions => ({
  servers: [address],
  name: "bimride-test",
  ...rest,
});

/** A server that says it is of some version and answers pings. */
async function fakeNats(info: object): Promise<{ address: string; [Symbol.dispose](): void }> {
  const server: Server = createServer((socket) => {
    socket.write(`INFO ${JSON.stringify({ server_id: "X", max_payload: 1_048_576, proto: 1, ...info })}\r\n`);
    socket.on("data", (data) => {
      for (const _ of data.toString("latin1").matchAll(/PING\r\n/g)) socket.write("PONG\r\n");
    });
    socket.on("error", () => socket.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { address: `127.0.0.1:${port}`, [Symbol.dispose]: () => void server.close() };
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

describe("a connection to NATS that can't be had names the setting", () => {
  test("nobody answers there", async () => {
    expect(await problem(connectNats(options("127.0.0.1:1")))).toBe(
      "nats.servers: no NATS server answers at 127.0.0.1:1",
    );
    expect(await problem(connectNats(options("nowhere.invalid:4222")))).toMatch(/^nats\.servers: no NATS/);
  });

  test("somebody answers who is no NATS server, or says nothing", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    expect(await problem(connectNats(options(`127.0.0.1:${port}`)))).toMatch(/^nats\.servers: no NATS/);
    silent.close();
  });

  test("the credentials are wrong, or missing", async () => {
    const password = "only-for-this-test";
    await using server = await startNats({
      config: `authorization { users: [ { user: ada, password: "${password}" } ] }`,
    });
    const wrong = { user: "ada", password: "wrong-secret" };
    const message = await problem(connectNats(options(server.address, wrong)));
    expect(message).toMatch(/^nats\.user: .* refuses the credentials$/);
    expect(message).not.toContain("wrong-secret");
    expect(await problem(connectNats(options(server.address)))).toMatch(
      /^nats\.user: .* without credentials$/,
    );
    await using link = await connectNats(options(server.address, { user: "ada", password }));
    expect(link.connected).toBe(true);
  });

  test("the credentials file holds something else", async () => {
    const credentials = new TextEncoder().encode("nothing of the kind");
    expect(await problem(connectNats(options(sharedEngines().nats, { credentials })))).toMatch(
      /^nats\.creds_file: /,
    );
  });

  test("TLS is wanted and not offered", async () => {
    expect(await problem(connectNats(options(sharedEngines().nats, { tls: {} })))).toMatch(
      /^nats\.tls: .* offers no TLS$/,
    );
  });

  test("the server's certificate is not trusted, until its authority is given", async () => {
    await using folder = await tempFolder();
    const [certificate, key] = [folder.file("cert.pem"), folder.file("key.pem")];
    const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bimride-test"];
    const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    await run("openssl", [...made, ...names, "-keyout", key, "-out", certificate]);
    await using server = await startNats({
      config: `tls { cert_file: "${certificate}", key_file: "${key}" }`,
    });
    const address = server.address.replace("127.0.0.1", "localhost");
    for (const tls of [undefined, {}])
      expect(await problem(connectNats(options(address, tls ? { tls } : {})))).toMatch(
        /^nats\.ca_file: .* is not trusted$/,
      );
    const ca = await readFile(certificate, "utf8");
    for (const host of [address, server.address]) {
      await using link = await connectNats(options(host, { tls: { ca } }));
      expect(link.connected).toBe(true);
    }
  });

  test("the server is too old", async () => {
    using old = await fakeNats({ version: "2.11.9", jetstream: true, headers: true });
    expect(await problem(connectNats(options(old.address)))).toBe(
      `nats.servers: the NATS server at ${old.address} is too old: 2.11.9, needed is 2.12 or newer`,
    );
  });

  test("JetStream is off for the account", async () => {
    await using server = await startNats({
      config: `accounts { plain { users: [ { user: ada, password: "only-for-this-test" } ] } }`,
    });
    expect(
      await problem(connectNats(options(server.address, { user: "ada", password: "only-for-this-test" }))),
    ).toMatch(/^nats\.servers: .* has JetStream switched off \(for this account\)$/);
  });
});

describe("a connection that stands", () => {
  test("knows the server's version and says what it is", async () => {
    await using link = await connectNats(options(sharedEngines().nats));
    expect(link.serverVersion).toMatch(/^2\.\d+\.\d+/);
    expect(link.connected).toBe(true);
  });

  test("comes back by itself, telling whoever watches, also with attempts spread by chance", async () => {
    await using server = await startNats();
    await using link = await connectNats(options(server.address), systemClock, () => 0.99);
    const heard: boolean[] = [];
    let changed = Promise.withResolvers<void>();
    const stop = link.watch((connected) => {
      heard.push(connected);
      changed.resolve();
    });
    await server.kill("SIGKILL");
    await changed.promise;
    expect(link.connected).toBe(false);
    changed = Promise.withResolvers();
    await server.start();
    await changed.promise;
    expect(link.connected).toBe(true);
    await link.connection.flush();
    stop();
    expect(heard).toEqual([false, true]);
  });

  test("closes in bounded time, once, also when the server is gone", async () => {
    await using server = await startNats();
    const link = await connectNats(options(server.address));
    await server.kill("SIGSTOP");
    const startMs = performance.now();
    await Promise.all([link.drain(), link[Symbol.asyncDispose]()]);
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(link.connection.isClosed()).toBe(true);
    await server.kill("SIGCONT");
  });
});
