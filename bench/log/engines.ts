import { DatabaseSync } from "node:sqlite";
import { DEFAULT_LIMITS } from "../../internal/core/limits.ts";
import { systemClock } from "../../internal/core/time.ts";
import type { EventLog } from "../../internal/eventlog/log.ts";
import { openNatsLog } from "../../internal/eventlog/nats/log.ts";
import { openSqliteLog } from "../../internal/eventlog/sqlite/log.ts";
import { connectNats, type NatsLink } from "../../internal/nats/link.ts";
import { type NatsProfile, startNats } from "../../test/kit/engines/nats.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import type { Entry } from "./entries.ts";

/** An engine under measurement. */
export type Measured = AsyncDisposable & {
  version: string;
  log: EventLog;
  /** Writes the entries as fast as the engine's bare client can, to where the log's own go. */
  writeBare(entries: readonly Entry[], window: number): Promise<void>;
};

export const REGION = "bench";
const MAX_BYTES = 8 * 2 ** 30;

/** A NATS server of its own, by the test kit, with the configuration that ships. */
export async function realLog(profile: NatsProfile): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await startNats({ profile }));
  const connect = () => connectNats({ servers: [server.address], name: "bimride-bench" });
  const link = stack.use(await connect());
  const bare = stack.use(await connect());
  const { partitions, logRetentionMs: retentionMs } = DEFAULT_LIMITS;
  const log = stack.use(
    await openNatsLog({
      ...{ link, region: REGION, partitions, replicas: 1, retentionMs, maxBytes: MAX_BYTES },
      limits: DEFAULT_LIMITS,
    }),
  );
  const parts = stack.move();
  return {
    version: link.serverVersion,
    log,
    writeBare: (entries, window) => publishBare(bare, entries, window),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** Plain `publish` with a reply inbox, `window` under way: no ids, no order, no second try, answers only counted. */
function publishBare({ connection }: NatsLink, entries: readonly Entry[], window: number): Promise<void> {
  const inbox = `_INBOX.bench${Math.random().toString(36).slice(2)}`;
  const subjects = Array.from({ length: DEFAULT_LIMITS.partitions }, (_, i) => `log.${REGION}.${i}`);
  return new Promise((resolve, reject) => {
    let next = 0;
    let stored = 0;
    const send = () => {
      const { partition, body } = entries[next++]!;
      connection.publish(subjects[partition]!, body, { reply: inbox });
    };
    const answers = connection.subscribe(inbox, {
      callback(error, message) {
        if (error || !message.string().includes('"seq"'))
          return reject(error ?? new Error(`NATS refused an entry: ${message.string()}`));
        stored++;
        if (next < entries.length) send();
        else if (stored === entries.length) {
          answers.unsubscribe();
          resolve();
        }
      },
    });
    while (next < Math.min(window, entries.length)) send();
  });
}

/** The embedded log in a temporary folder. */
export async function embeddedLog(): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const { partitions } = DEFAULT_LIMITS;
  const log = stack.use(
    await openSqliteLog({
      ...{ path: folder.file("log.sqlite"), region: REGION, partitions, maxBytes: MAX_BYTES },
      ...{ clock: systemClock, limits: DEFAULT_LIMITS },
    }),
  );
  const bare = new DatabaseSync(folder.file("bare.sqlite"));
  stack.defer(() => bare.close());
  bare.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE entries (id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, sequence INTEGER NOT NULL,
      logged_at_ms INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE UNIQUE INDEX entries_in_order ON entries (partition, sequence)`);
  const insert = bare.prepare(
    "INSERT INTO entries (partition, sequence, logged_at_ms, body) VALUES (?, ?, ?, ?)",
  );
  const version = String(bare.prepare("SELECT sqlite_version() AS v").get()!.v);
  let sequence = 0;
  const parts = stack.move();
  return {
    version,
    log,
    async writeBare(entries, window) {
      for (let from = 0; from < entries.length; from += window) {
        bare.exec("BEGIN");
        for (const { partition, body } of entries.slice(from, from + window))
          insert.run(partition, ++sequence, Date.now(), body);
        bare.exec("COMMIT");
      }
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
