import { randomUUID } from "node:crypto";
import { type Client, type Host, types } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";
import { type Clock, sleep, systemClock } from "../core/time.ts";
import { connectProblem } from "./connect-problem.ts";
import { newClient } from "./driver.ts";
import { hasKeyspace, prepareKeyspace } from "./keyspace.ts";
import { inTime } from "./link.ts";
import type { CassandraOptions } from "./options.ts";
import { checkUnchanged, type Migration, readApplied, readMigrations } from "./schema.ts";
import { changeSchema, firstHost } from "./schema-change.ts";
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
      await changeSchema(this.#client, this.#host, statement);
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
      await changeSchema(
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
