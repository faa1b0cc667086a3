import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { types } from "cassandra-driver";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CASSANDRA_DATA_CENTER, startCassandra } from "../../test/kit/engines/cassandra.ts";
import type { Engine } from "../../test/kit/engines/engine.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { connectCassandra } from "./link.ts";
import { migrate } from "./migrate.ts";
import type { CassandraOptions } from "./options.ts";

const run = promisify(execFile);
const PASSWORD = "not-a-secret";

/** A node that asks for a login, takes TLS beside plain text, and is stopped and killed by these tests. */
describe("a link to a Cassandra of its own", () => {
  const stack = new AsyncDisposableStack();
  let node: Engine;
  let given: CassandraOptions;
  let certificate: string;

  beforeAll(async () => {
    const folder = stack.use(await tempFolder());
    const keystore = folder.file("node.p12");
    const store = ["-keystore", keystore, "-storepass", PASSWORD, "-alias", "node"];
    await run("keytool", [
      ...["-genkeypair", "-keyalg", "EC", "-dname", "CN=node", "-ext", "SAN=IP:127.0.0.1"],
      ...["-storetype", "PKCS12", "-validity", "2", ...store],
    ]);
    await run("keytool", ["-exportcert", "-rfc", "-file", folder.file("node.pem"), ...store]);
    certificate = await readFile(folder.file("node.pem"), "utf8");
    node = stack.use(
      await startCassandra({
        settings: {
          authenticator: { class_name: "PasswordAuthenticator" },
          authorizer: { class_name: "CassandraAuthorizer" },
          client_encryption_options: {
            enabled: true,
            optional: true,
            keystore,
            keystore_password: PASSWORD,
            store_type: "PKCS12",
          },
        },
      }),
    );
    given = {
      contactPoints: [node.address],
      localDataCenter: CASSANDRA_DATA_CENTER,
      keyspace: "own",
      user: "cassandra",
      password: "cassandra",
    };
    // The first user is made some seconds after the start.
    await vi.waitFor(() => migrate(given, { replication: 1, print: () => undefined }), {
      timeout: 90_000,
      interval: 1_000,
    });
  }, 180_000);
  afterAll(() => stack.disposeAsync(), 60_000);

  test("wrong credentials and missing ones name the user's setting", async () => {
    await expect(connectCassandra({ ...given, password: "wrong" })).rejects.toThrow(
      /^cassandra\.user: the Cassandra at .* refuses the credentials$/,
    );
    await expect(connectCassandra({ ...given, user: undefined })).rejects.toThrow(
      /^cassandra\.user: the Cassandra at .* refuses a connection without credentials$/,
    );
  });

  test("migrating with wrong credentials names the user's setting and makes nothing", async () => {
    const how = { replication: 1, print: () => undefined };
    const refused = { ...given, keyspace: "refused", password: "wrong" };
    await expect(migrate(refused, how)).rejects.toThrow(/^cassandra\.user: .* refuses the credentials$/);
    await using link = await connectCassandra(given);
    const query = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = 'refused'";
    expect((await link.execute(query, [])).rowLength).toBe(0);
  });

  test("a user who may only read is refused, one who may write too is not and has written nothing", async () => {
    await using link = await connectCassandra(given);
    const change = (cql: string) => link.client.execute(cql, [], { prepare: false });
    for (const role of ["reader", "writer"])
      await change(`CREATE ROLE ${role} WITH PASSWORD = '${PASSWORD}' AND LOGIN = true`);
    for (const role of ["reader", "writer"]) await change(`GRANT SELECT ON KEYSPACE own TO ${role}`);
    await change("GRANT MODIFY ON KEYSPACE own TO writer");
    await expect(connectCassandra({ ...given, user: "reader", password: PASSWORD })).rejects.toThrow(
      /^cassandra\.user: may not write to the keyspace own at .*: it needs SELECT and MODIFY$/,
    );
    await using writing = await connectCassandra({ ...given, user: "writer", password: PASSWORD });
    expect((await writing.execute("SELECT trip_id FROM trip_final", [])).rowLength).toBe(0);
    await expect(
      writing.client.execute("DELETE FROM own.trip_final WHERE trip_id = ?", [null], { prepare: false }),
    ).rejects.toMatchObject({ code: types.responseErrorCodes.invalid });
  });

  test("TLS works with the node's authority, and one that is not trusted is named", async () => {
    await using link = await connectCassandra({ ...given, tls: { ca: certificate } });
    expect((await link.execute("SELECT release_version FROM system.local", [])).rowLength).toBe(1);
    await expect(connectCassandra({ ...given, tls: {} })).rejects.toThrow(
      /^cassandra\.ca_file: the certificate of the Cassandra at .* is not trusted$/,
    );
  });

  test("a node that hangs or dies, however often, is STORE_UNAVAILABLE in bounded time, comes back by itself and leaves nothing open", {
    timeout: 240_000,
  }, async () => {
    const openSockets = () =>
      process.getActiveResourcesInfo().filter((kind) => /^T(CP|LS)/.test(kind)).length;
    const openBefore = openSockets();
    const link = await connectCassandra(given);
    const ask = () => link.execute("SELECT version FROM schema_migrations WHERE scope = 'bimride'", []);
    await ask();
    const away = { code: "STORE_UNAVAILABLE" };
    await node.kill("SIGSTOP");
    const startedMs = performance.now();
    await expect(ask()).rejects.toMatchObject(away);
    expect(performance.now() - startedMs).toBeLessThan(15_000);
    await node.kill("SIGCONT");
    await vi.waitFor(ask, { timeout: 30_000, interval: 100 });

    for (let outage = 1; outage <= 3; outage++) {
      await node.kill("SIGKILL");
      await vi.waitFor(() => expect(ask()).rejects.toMatchObject(away), { timeout: 10_000 });
      await vi.waitFor(() => expect(link.connected).toBe(false), { timeout: 10_000 });
      await node.start();
      await vi.waitFor(ask, { timeout: 30_000, interval: 100 });
      expect(link.connected).toBe(true);
    }
    await link[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(openSockets()).toBe(openBefore), { timeout: 10_000, interval: 100 });
  });
});
