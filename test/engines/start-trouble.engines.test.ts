import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { jetstreamManager, StorageType } from "@nats-io/jetstream";
import { Client } from "cassandra-driver";
import { beforeAll, describe, expect, test } from "vitest";
import { makeKeyFiles } from "../../internal/auth/keys.ts";
import { migrate } from "../../internal/cassandra/migrate.ts";
import { fakeNats } from "../../internal/nats/kit.ts";
import { connectNats } from "../../internal/nats/link.ts";
import { CASSANDRA_DATA_CENTER } from "../kit/engines/cassandra.ts";
import { startNats } from "../kit/engines/nats.ts";
import { startRedis } from "../kit/engines/redis.ts";
import { sharedEngines } from "../kit/engines/shared.ts";
import { fakeServer } from "../kit/fake-server.ts";
import { type TempFolder, tempFolder } from "../kit/temp-folder.ts";

const LAUNCHER = fileURLToPath(new URL("../../cmd/launch.js", import.meta.url));
const KEYSPACE = `start_${randomBytes(4).toString("hex")}`;
const ROLES = ["gateway", "processor", "edge"] as const;

beforeAll(async () => {
  const contactPoints = [sharedEngines().cassandra];
  const options = { contactPoints, localDataCenter: CASSANDRA_DATA_CENTER, keyspace: KEYSPACE };
  await migrate(options, { replication: 1, print: () => undefined });
});

/** Starts a role on the shared engines but for what is given, and waits for its end. */
async function start(
  role: string,
  folder: TempFolder,
  different: Record<string, string>,
): Promise<{ code: number; out: string; err: string }> {
  const { nats, redis, cassandra } = sharedEngines();
  await makeKeyFiles(folder.file("keys"));
  const env = {
    ...process.env,
    BIMRIDE_NATS_SERVERS: nats,
    BIMRIDE_REDIS_NODES: redis,
    BIMRIDE_CASSANDRA_CONTACT_POINTS: cassandra,
    BIMRIDE_CASSANDRA_KEYSPACE: KEYSPACE,
    BIMRIDE_AUTH_KEY_FOLDER: folder.file("keys"),
    BIMRIDE_DATA_DIR: folder.file("data"),
    BIMRIDE_HTTP_PORT: "0",
    BIMRIDE_GRPC_PORT: "0",
    BIMRIDE_MQTT_PORT: "0",
    BIMRIDE_LOG_MAX_BYTES: String(64 << 20),
    BIMRIDE_TELEMETRY_LEVEL: "error",
    ...different,
  };
  return new Promise((resolve) => {
    const args = [LAUNCHER, role];
    execFile(process.execPath, args, { env, timeout: 45_000, killSignal: "SIGKILL" }, (error, out, err) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, out, err }),
    );
  });
}

/** Streams that the server has of the region, buckets among them. */
async function streamsOf(servers: string, region: string): Promise<string[]> {
  await using link = await connectNats({ servers: [servers], name: "start-test" });
  const manager = await jetstreamManager(link.connection);
  const names: string[] = [];
  for await (const { config } of manager.streams.list())
    if (config.name.includes(region)) names.push(config.name);
  return names;
}

describe("a start that can't work ends with one line that names the setting, and has made nothing", () => {
  async function expectRefusal(role: string, different: Record<string, string>, line: RegExp): Promise<void> {
    await using folder = await tempFolder();
    const region = `s${randomBytes(4).toString("hex")}`;
    const { code, out, err } = await start(role, folder, { ...different, BIMRIDE_REGION: region });
    expect(err.trim()).toMatch(line);
    expect(err.trim()).not.toContain("\n");
    expect(out).not.toContain("ready");
    expect(code).toBe(1);
    expect(await streamsOf(sharedEngines().nats, region)).toEqual([]);
  }

  test.each(ROLES)("nobody at the address: %s", { timeout: 120_000 }, async (role) => {
    await expectRefusal(
      role,
      { BIMRIDE_NATS_SERVERS: "127.0.0.1:1" },
      /^nats\.servers: no NATS server answers/,
    );
    await expectRefusal(role, { BIMRIDE_REDIS_NODES: "127.0.0.1:1" }, /^redis\.nodes: /);
    await expectRefusal(
      role,
      { BIMRIDE_CASSANDRA_CONTACT_POINTS: "127.0.0.1:1" },
      /^cassandra\.contact_points: /,
    );
  });

  test("a NATS server that takes the connection and says nothing", { timeout: 120_000 }, async () => {
    using mute = await fakeServer();
    const different = { BIMRIDE_NATS_SERVERS: mute.address };
    for (const role of ROLES) await expectRefusal(role, different, /^nats\.servers: no NATS server answers/);
  });

  test("a port that is taken", { timeout: 120_000 }, async () => {
    using taken = await fakeServer();
    const port = taken.address.split(":")[1]!;
    for (const role of ROLES) await expectRefusal(role, { BIMRIDE_HTTP_PORT: port }, /^http\.port: /);
    await expectRefusal("gateway", { BIMRIDE_GRPC_PORT: port }, /^grpc\.port: /);
  });

  test.each([
    ["gateway", "KV_nodes"],
    ["edge", "KV_nodes"],
    ["processor", "KV_LEASES"],
    ["processor", "OBJ_SNAPSHOTS"],
  ])("%s: a bucket with other settings, which stays as it is", async (role, bucket) => {
    await using folder = await tempFolder();
    const region = `s${randomBytes(4).toString("hex")}`;
    await using link = await connectNats({ servers: [sharedEngines().nats], name: "start-test" });
    const manager = await jetstreamManager(link.connection);
    const name = `${bucket}_${region}`;
    await manager.streams.add({ name, subjects: [`elsewhere.${region}`], storage: StorageType.File });
    const { code, err } = await start(role, folder, { BIMRIDE_REGION: region });
    expect(code).toBe(1);
    expect(err.trim()).toMatch(/^nats\.servers: the bucket .* was made with another storage; delete it/);
    expect(await streamsOf(sharedEngines().nats, region)).toEqual([name]);
    await manager.streams.delete(name);
  });

  test("wrong credentials", { timeout: 120_000 }, async () => {
    const authorization = `authorization { users: [ { user: ada, password: "only-for-this-test" } ] }`;
    await using nats = await startNats({ config: authorization });
    await expectRefusal("edge", { BIMRIDE_NATS_SERVERS: nats.address }, /^nats\.user: /);
    await using redis = await startRedis({ args: ["--requirepass", "only-for-this-test"] });
    await expectRefusal("edge", { BIMRIDE_REDIS_NODES: redis.address }, /^redis\.(user|password_file): /);
  });

  test("a file of credentials that isn't there", async () => {
    await expectRefusal(
      "edge",
      { BIMRIDE_REDIS_PASSWORD_FILE: "/nowhere" },
      /^redis\.password_file: .*can't be read/,
    );
  });

  test("an engine that is too old", async () => {
    using nats = await fakeNats({ version: "2.9.10", jetstream: true, headers: true });
    await expectRefusal(
      "processor",
      { BIMRIDE_NATS_SERVERS: nats.address },
      /^nats\.servers: .* too old: 2\.9\.10/,
    );
  });

  test("a keyspace that isn't there", async () => {
    const different = { BIMRIDE_CASSANDRA_KEYSPACE: "nobody_made_it" };
    await expectRefusal(
      "processor",
      different,
      /^cassandra\.keyspace: there is no keyspace nobody_made_it.*migrate/,
    );
    const client = new Client({
      contactPoints: [sharedEngines().cassandra],
      localDataCenter: CASSANDRA_DATA_CENTER,
    });
    const { rows } = await client.execute("SELECT keyspace_name FROM system_schema.keyspaces");
    await client.shutdown();
    expect(rows.map((row) => row.keyspace_name)).not.toContain("nobody_made_it");
  });

  test("more copies than there are servers", async () => {
    await expectRefusal("processor", { BIMRIDE_NATS_REPLICAS: "3" }, /^nats\.replicas: /);
  });

  test("a stream with other settings, which stays as it is", async () => {
    await using folder = await tempFolder();
    const region = `s${randomBytes(4).toString("hex")}`;
    await using link = await connectNats({ servers: [sharedEngines().nats], name: "start-test" });
    const manager = await jetstreamManager(link.connection);
    const name = `LOG_${region}`;
    await manager.streams.add({ name, subjects: [`log.${region}.*`], storage: StorageType.Memory });
    const { code, err } = await start("gateway", folder, { BIMRIDE_REGION: region });
    expect(code).toBe(1);
    expect(err.trim()).toMatch(new RegExp(`^nats\\.servers: the NATS stream ${name} was made with .*$`));
    expect((await manager.streams.info(name)).config.storage).toBe("memory");
    expect(await streamsOf(sharedEngines().nats, region)).toEqual([name]);
    await manager.streams.delete(name);
  });

  test("a region file that isn't there", async () => {
    await using folder = await tempFolder();
    const { code, err } = await start("edge", folder, { BIMRIDE_REGIONS_FILE: folder.file("none.geojson") });
    expect(code).toBe(1);
    expect(err.trim()).toMatch(/^regions\.file: .*can't be read: .*$/);
  });
});
