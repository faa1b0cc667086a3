import { randomUUID } from "node:crypto";
import { type Client, type Host, types } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";
import { type Clock, sleep, systemClock } from "../core/time.ts";
import { connectProblem } from "./connect-problem.ts";
import { newClient } from "./driver.ts";
import { inTime } from "./link.ts";
import type { CassandraOptions } from "./options.ts";
import { checkUnchanged, type Migration, readApplied, readMigrations } from "./schema.ts";
import { checkVersion } from "./server-version.ts";

export type MigrateOptions = {
  /** Copies of each row in the data centre; only used when the keyspace is made. */
  replication: number;
  /** How long rows of the tables that keep time windows live; also changes what was set before. Default 30 days. */
  retentionMs?: number;
  /** Gets a line for everything that is done. */
  print(line: string): void;
  clock?: Clock;
  /** Where the numbered files are; tests give others. */
  folder?: URL;
};

const DAY_MS = 86_400_000;
/** A run that died lets others go on after this; one that lives says so again before every statement. */
const LOCK_S = 60;
const LOCK_PERIOD_MS = 500;
const LOCK_DEADLINE_MS = 3 * LOCK_S * 1_000;
/** How long the nodes may take to agree on a change of the schema. */
const SCHEMA_ANSWER_MS = 30_000;
/** Time windows per retention, as TWCS wants 20 to 30. */
const WINDOWS = 30;
/** The largest TTL that Cassandra takes: 20 years. */
const MAX_TTL_S = 630_720_000;

/**
 * Makes the keyspace when missing and brings its tables up to this build, in order, once each. Two runs at once are
 * safe, and so is one that was cut off: the next goes on where it was. Rejects with an EngineError as
 * {@link connectCassandra} does, or when an applied file was changed.
 */
export async function migrate(options: CassandraOptions, how: MigrateOptions): Promise<void> {
  const known = await readMigrations(how.folder);
  await connected(options, undefined, how, (client) => prepareKeyspace(client, options, how));
  await connected(options, options.keyspace, how, (client) => new Run(client, options, how).all(known));
}

/** Rejects as {@link migrate} does when it can't begin; changes nothing. */
export async function checkMigration(options: CassandraOptions, how: MigrateOptions): Promise<void> {
  await connected(options, undefined, how, async (client) => {
    await hasKeyspace(client, options, how);
  });
}

async function connected(
  options: CassandraOptions,
  keyspace: string | undefined,
  { clock = systemClock }: MigrateOptions,
  run: (client: Client) => Promise<void>,
): Promise<void> {
  const client = newClient(options, keyspace);
  try {
    await inTime(options, clock, async () => {
      await client.connect();
      await checkVersion(client, options);
    });
    await run(client);
  } catch (cause) {
    throw connectProblem(options, cause);
  } finally {
    await client.shutdown();
  }
}

async function prepareKeyspace(
  client: Client,
  options: CassandraOptions,
  how: MigrateOptions,
): Promise<void> {
  const { keyspace, localDataCenter } = options;
  const host = firstHost(client, localDataCenter);
  if (!(await hasKeyspace(client, options, how))) {
    await change(
      client,
      host,
      `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication =
        {'class': 'NetworkTopologyStrategy', '${localDataCenter}': ${how.replication}}`,
    );
    how.print(`${keyspace}: keyspace made, ${how.replication} × in ${localDataCenter}`);
  }
  await change(
    client,
    host,
    `CREATE TABLE IF NOT EXISTS ${keyspace}.schema_migrations
      (scope text, version int, name text, checksum text, applied_at timestamp, PRIMARY KEY (scope, version))`,
  );
  await change(
    client,
    host,
    `CREATE TABLE IF NOT EXISTS ${keyspace}.schema_lock (name text PRIMARY KEY, owner text)`,
  );
}

/**
 * Whether the keyspace is there. Rejects when it has no copies in the data centre, or when the data centre has fewer
 * nodes than it is to have copies: what was made could not be written to then.
 */
async function hasKeyspace(
  client: Client,
  { keyspace, localDataCenter }: CassandraOptions,
  { replication }: MigrateOptions,
): Promise<boolean> {
  const found = await client.execute(
    "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?",
    [keyspace],
  );
  const copies = found.first()?.replication as Record<string, string> | undefined;
  if (copies?.class?.endsWith("NetworkTopologyStrategy") && !Number(copies[localDataCenter]))
    throw new EngineError("cassandra.local_dc", `${keyspace} has no copies in ${localDataCenter}`);
  const nodes = client.hosts.values().filter((host) => host.datacenter === localDataCenter).length;
  if (!copies && nodes < replication)
    throw new EngineError(
      "cassandra.replication",
      `${replication} copies need as many nodes, ${localDataCenter} has ${nodes}`,
    );
  return copies !== undefined;
}

/** Changes of the schema all go through the same node, where they come one after another also between two runs. */
async function change(client: Client, host: Host, statement: string): Promise<void> {
  const { info } = await client.execute(statement, [], {
    prepare: false,
    host,
    readTimeout: SCHEMA_ANSWER_MS,
  });
  // The driver waits for it and says so here; its types don't know.
  const { isSchemaInAgreement } = info as typeof info & { isSchemaInAgreement: boolean };
  if (!isSchemaInAgreement)
    throw new EngineError(
      "cassandra.contact_points",
      "the nodes do not agree on the schema: see that all are up, then run it again",
    );
}

/** Brings one keyspace up to date; its client looks names up in that keyspace. */
class Run {
  readonly #client: Client;
  readonly #how: MigrateOptions;
  readonly #clock: Clock;
  readonly #keyspace: string;
  readonly #owner = randomUUID();
  readonly #host: Host;

  constructor(client: Client, { keyspace, localDataCenter }: CassandraOptions, how: MigrateOptions) {
    this.#client = client;
    this.#how = how;
    this.#clock = how.clock ?? systemClock;
    this.#keyspace = keyspace;
    this.#host = firstHost(client, localDataCenter);
  }

  async all(known: readonly Migration[]): Promise<void> {
    await this.#lock();
    try {
      const applied = (await readApplied(this.#client, this.#keyspace)) ?? [];
      checkUnchanged(known, applied, this.#keyspace);
      for (const migration of known.slice(applied.length)) await this.#apply(migration);
      if (applied.length === known.length)
        this.#how.print(`${this.#keyspace}: nothing to do, schema ${known.length}`);
      await this.#setRetention();
    } finally {
      await this.#unlock();
    }
  }

  async #apply({ version, name, checksum, statements }: Migration): Promise<void> {
    for (const statement of statements) {
      await this.#renew();
      await change(this.#client, this.#host, statement);
    }
    await this.#renew();
    await this.#client.execute(
      `INSERT INTO schema_migrations (scope, version, name, checksum, applied_at)
        VALUES ('bimride', ?, ?, ?, ?)`,
      [version, name, checksum, new Date(this.#clock.now())],
      { prepare: true, consistency: types.consistencies.eachQuorum },
    );
    this.#how.print(`${this.#keyspace}: applied ${name}`);
  }

  /** Every table with time windows keeps its rows for the retention, so that whole windows leave at once. */
  async #setRetention(): Promise<void> {
    const retentionMs = this.#how.retentionMs ?? 30 * DAY_MS;
    const ttlS = Math.min(MAX_TTL_S, Math.ceil(retentionMs / 1_000));
    const windowDays = Math.max(1, Math.ceil(retentionMs / DAY_MS / WINDOWS));
    const { rows } = await this.#client.execute(
      "SELECT table_name, default_time_to_live, compaction FROM system_schema.tables WHERE keyspace_name = ?",
      [this.#keyspace],
    );
    for (const row of rows) {
      const compaction = row.compaction as Record<string, string>;
      if (!compaction.class?.endsWith("TimeWindowCompactionStrategy")) continue;
      const isSet = compaction.compaction_window_size === String(windowDays);
      if (row.default_time_to_live === ttlS && isSet) continue;
      await this.#renew();
      await change(
        this.#client,
        this.#host,
        `ALTER TABLE ${row.table_name} WITH default_time_to_live = ${ttlS}
        AND compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS',
          'compaction_window_size': '${windowDays}'}`,
      );
      this.#how.print(`${this.#keyspace}: ${row.table_name} keeps rows for ${ttlS} s`);
    }
  }

  async #lock(): Promise<void> {
    const insert = `INSERT INTO schema_lock (name, owner) VALUES ('migrate', ?)
      IF NOT EXISTS USING TTL ${LOCK_S}`;
    const giveUpAt = this.#clock.monotonic() + LOCK_DEADLINE_MS;
    for (let waiting = false; !(await this.#decided(insert, [this.#owner])); waiting = true) {
      if (!waiting) this.#how.print(`${this.#keyspace}: waiting for another run to end`);
      if (this.#clock.monotonic() > giveUpAt)
        throw new EngineError("cassandra.keyspace", `another run holds the lock of ${this.#keyspace}`);
      await sleep(this.#clock, LOCK_PERIOD_MS);
    }
  }

  async #renew(): Promise<void> {
    const update = `UPDATE schema_lock USING TTL ${LOCK_S} SET owner = ?
      WHERE name = 'migrate' IF owner = ?`;
    if (!(await this.#decided(update, [this.#owner, this.#owner])))
      throw new EngineError("cassandra.keyspace", `lost the lock of ${this.#keyspace}: run it again`);
  }

  async #unlock(): Promise<void> {
    const release = `DELETE FROM schema_lock WHERE name = 'migrate' IF owner = ?`;
    // It goes away by itself, and what happened before counts more than that.
    await this.#decided(release, [this.#owner]).catch(() => undefined);
  }

  /** Whether the conditional statement was carried out. */
  async #decided(cql: string, params: string[]): Promise<boolean> {
    const serialConsistency = types.consistencies.serial;
    const consistency = types.consistencies.quorum;
    const result = await this.#client.execute(cql, params, { prepare: true, serialConsistency, consistency });
    return result.wasApplied();
  }
}

/** Of the data centre's nodes the first by address: every run picks the same. */
function firstHost(client: Client, dataCenter: string): Host {
  const hosts = client.hosts.values().filter((host) => host.datacenter === dataCenter && host.isUp());
  const [first] = hosts.sort((a, b) => (a.address < b.address ? -1 : 1));
  if (!first) throw new EngineError("cassandra.local_dc", `no node of ${dataCenter} is up`);
  return first;
}
