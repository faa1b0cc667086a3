import { DatabaseSync } from "node:sqlite";
import { newClient } from "../../internal/cassandra/driver.ts";
import { connectCassandra } from "../../internal/cassandra/link.ts";
import { migrate } from "../../internal/cassandra/migrate.ts";
import { openCassandraHistory } from "../../internal/history/cassandra/history.ts";
import type { History } from "../../internal/history/history.ts";
import { openSqliteHistory } from "../../internal/history/sqlite/history.ts";
import { CASSANDRA_DATA_CENTER, startCassandra } from "../../test/kit/engines/cassandra.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";

/** A row as the engine stores it, encoded before. */
export type BareRow = { party: string; atMs: number; seq: number; sequence: number; blob: Uint8Array };

/** An engine under measurement. */
export type Measured = AsyncDisposable & {
  version: string;
  history: History;
  /** Writes rows as fast as the engine's bare client can, into a table like the history's own. */
  writeBare(rows: readonly BareRow[]): Promise<void>;
};

const DAY_MS = 86_400_000;
const RETENTION_MS = 30 * DAY_MS;
/** Requests under way at once in the bare client: where more don't get it further. */
const BARE_AT_ONCE = 256;
const ROWS_PER_TRANSACTION = 200;

/** A Cassandra node of its own, by the test kit. */
export async function realHistory(): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const node = stack.use(await startCassandra({ heapMb: 1_024 }));
  const options = {
    contactPoints: [node.address],
    localDataCenter: CASSANDRA_DATA_CENTER,
    keyspace: "bench_history",
  };
  await migrate(options, { replication: 1, print: () => undefined });
  const link = stack.use(await connectCassandra(options));
  const history = stack.use(await openCassandraHistory({ link, retentionMs: RETENTION_MS }));
  const bare = newClient(options, options.keyspace);
  stack.defer(() => bare.shutdown());
  await bare.connect();
  const insert = `INSERT INTO track_chunks
    (party, day, first_at, session_id, first_seq, first_sequence, chunk_at, fixes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
  const parts = stack.move();
  return {
    version: link.serverVersion,
    history,
    async writeBare(rows) {
      let next = 0;
      const drain = async () => {
        while (next < rows.length) {
          const { party, atMs, seq, sequence, blob } = rows[next++]!;
          const day = Math.floor(atMs / DAY_MS);
          await bare.execute(insert, [party, day, atMs, "s", seq, sequence, atMs, blob], { prepare: true });
        }
      };
      await Promise.all(Array.from({ length: BARE_AT_ONCE }, drain));
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** The embedded history in a temporary folder. */
export async function embeddedHistory(): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const history = stack.use(await openSqliteHistory({ path: folder.file("history.db") }));
  const bare = new DatabaseSync(folder.file("bare.db"));
  stack.defer(() => bare.close());
  bare.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE chunks (id INTEGER PRIMARY KEY, party TEXT, at INTEGER, seq INTEGER, sequence INTEGER, fixes BLOB);
    CREATE UNIQUE INDEX chunks_key ON chunks (party, at, seq, sequence)`);
  const insert = bare.prepare("INSERT INTO chunks (party, at, seq, sequence, fixes) VALUES (?, ?, ?, ?, ?)");
  const version = String(bare.prepare("SELECT sqlite_version() AS v").get()!.v);
  const parts = stack.move();
  return {
    version,
    history,
    async writeBare(rows) {
      for (let from = 0; from < rows.length; from += ROWS_PER_TRANSACTION) {
        bare.exec("BEGIN");
        for (const { party, atMs, seq, sequence, blob } of rows.slice(from, from + ROWS_PER_TRANSACTION))
          insert.run(party, atMs, seq, sequence, blob);
        bare.exec("COMMIT");
      }
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
