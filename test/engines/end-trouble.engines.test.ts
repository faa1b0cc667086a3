import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { type RoleProcess, startRole } from "../../bench/load/role-process.ts";
import { makeKeyFiles } from "../../internal/auth/keys.ts";
import { migrate } from "../../internal/cassandra/migrate.ts";
import { CASSANDRA_DATA_CENTER } from "../kit/engines/cassandra.ts";
import { startNats } from "../kit/engines/nats.ts";
import { startRedis } from "../kit/engines/redis.ts";
import { sharedEngines } from "../kit/engines/shared.ts";
import { tempFolder } from "../kit/temp-folder.ts";

/** The service's own bound is 10 s. */
const PATIENCE_MS = 20_000;

test("roles end when they are told to, also while NATS or Redis hangs", { timeout: 180_000 }, async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  await makeKeyFiles(folder.file("keys"));
  const contactPoints = [sharedEngines().cassandra];
  const keyspace = `end_${randomBytes(4).toString("hex")}`;
  const options = { contactPoints, localDataCenter: CASSANDRA_DATA_CENTER, keyspace };
  await migrate(options, { replication: 1, print: () => undefined });
  const engines = {
    nats: stack.use(await startNats({})),
    redis: stack.use(await startRedis({})),
  };
  const settings = {
    "nats.servers": engines.nats.address,
    "redis.nodes": engines.redis.address,
    "cassandra.contact_points": contactPoints.join(),
    "cassandra.keyspace": keyspace,
    "auth.key_folder": folder.file("keys"),
    "log.max_bytes": String(64 << 20),
  };
  const roles: RoleProcess[] = [];
  for (const role of ["gateway", "processor", "edge"] as const)
    roles.push(stack.use(await startRole({ role, name: role, settings })));
  for (const hung of Object.values(engines)) {
    await hung.kill("SIGSTOP");
    expect(await Promise.all(roles.map((role) => role.stop(PATIENCE_MS)))).toEqual([true, true, true]);
    await hung.kill("SIGCONT");
    for (const role of roles) await role.start();
  }
  expect(await Promise.all(roles.map((role) => role.stop(PATIENCE_MS)))).toEqual([true, true, true]);
});
