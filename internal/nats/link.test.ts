import { describe, expect, test } from "vitest";
import { startNats } from "../../test/kit/engines/nats.ts";
import { sharedEngines } from "../../test/kit/engines/shared.ts";
import { fakeServer } from "../../test/kit/fake-server.ts";
import { problemOf } from "../../test/kit/problem-of.ts";
import { selfSigned } from "../../test/kit/self-signed.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { systemClock } from "../core/time.ts";
import { fakeNats, natsAt } from "./kit.ts";
import { connectNats } from "./link.ts";

const problem = (connecting: Promise<AsyncDisposable>) => problemOf(connecting, 6_000);

describe("a connection to NATS that can't be had names the setting", () => {
  test("nobody answers there", async () => {
    expect(await problem(connectNats(natsAt("127.0.0.1:1")))).toBe(
      "nats.servers: no NATS server answers at 127.0.0.1:1",
    );
    expect(await problem(connectNats(natsAt("nowhere.invalid:4222")))).toMatch(/^nats\.servers: no NATS/);
  });

  test("somebody answers who is no NATS server, or says nothing", async () => {
    using silent = await fakeServer();
    expect(await problem(connectNats(natsAt(silent.address)))).toMatch(/^nats\.servers: no NATS/);
  });

  test("the credentials are wrong, or missing", async () => {
    const password = "only-for-this-test";
    await using server = await startNats({
      config: `authorization { users: [ { user: ada, password: "${password}" } ] }`,
    });
    const wrong = { user: "ada", password: "wrong-secret" };
    const message = await problem(connectNats(natsAt(server.address, wrong)));
    expect(message).toMatch(/^nats\.user: .* refuses the credentials$/);
    expect(message).not.toContain("wrong-secret");
    expect(await problem(connectNats(natsAt(server.address)))).toMatch(
      /^nats\.user: .* without credentials$/,
    );
    await using link = await connectNats(natsAt(server.address, { user: "ada", password }));
    expect(link.connected).toBe(true);
  });

  test("the credentials file holds something else", async () => {
    const credentials = new TextEncoder().encode("nothing of the kind");
    expect(await problem(connectNats(natsAt(sharedEngines().nats, { credentials })))).toMatch(
      /^nats\.creds_file: /,
    );
  });

  test("TLS is wanted and not offered", async () => {
    expect(await problem(connectNats(natsAt(sharedEngines().nats, { tls: {} })))).toMatch(
      /^nats\.tls: .* offers no TLS$/,
    );
  });

  test("the server's certificate is not trusted, until its authority is given", async () => {
    await using folder = await tempFolder();
    const { certificate, key, ca } = await selfSigned(folder);
    await using server = await startNats({
      config: `tls { cert_file: "${certificate}", key_file: "${key}" }`,
    });
    const address = server.address.replace("127.0.0.1", "localhost");
    expect(await problem(connectNats(natsAt(address, { tls: {} })))).toMatch(
      /^nats\.ca_file: .* is not trusted$/,
    );
    expect(await problem(connectNats(natsAt(address)))).toMatch(/^nats\.tls: is false, but .* wants TLS$/);
    for (const host of [address, server.address]) {
      await using link = await connectNats(natsAt(host, { tls: { ca } }));
      expect(link.connected).toBe(true);
    }
  });

  test("the server is too old", async () => {
    using old = await fakeNats({ version: "2.11.9", jetstream: true, headers: true });
    expect(await problem(connectNats(natsAt(old.address)))).toBe(
      `nats.servers: the NATS server at ${old.address} is too old: 2.11.9, needed is 2.12 or newer`,
    );
  });

  test("JetStream is off for the account", async () => {
    await using server = await startNats({
      config: `accounts { plain { users: [ { user: ada, password: "only-for-this-test" } ] } }`,
    });
    expect(
      await problem(connectNats(natsAt(server.address, { user: "ada", password: "only-for-this-test" }))),
    ).toMatch(/^nats\.servers: .* has JetStream switched off \(for this account\)$/);
  });
});

describe("a connection that stands", () => {
  test("knows the server's version and says what it is", async () => {
    await using link = await connectNats(natsAt(sharedEngines().nats));
    expect(link.serverVersion).toMatch(/^2\.\d+\.\d+/);
    expect(link.connected).toBe(true);
  });

  test("comes back by itself, telling whoever watches, also with attempts spread by chance", async () => {
    await using server = await startNats();
    await using link = await connectNats(natsAt(server.address), systemClock, () => 0.99);
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
    const link = await connectNats(natsAt(server.address));
    await server.kill("SIGSTOP");
    const startMs = performance.now();
    await Promise.all([link.drain(), link[Symbol.asyncDispose]()]);
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(link.connection.isClosed()).toBe(true);
    await server.kill("SIGCONT");
  });
});
