import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { Client } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";
import { MIGRATE } from "./connect-problem.ts";
import type { CassandraOptions } from "./options.ts";

/** One numbered step of the schema: a file of internal/cassandra/schema. */
export type Migration = {
  /** 1, 2, 3 … without holes. */
  version: number;
  /** Name of the file, e.g. `0001-history.cql`. */
  name: string;
  /** SHA-256 of the file, hex. */
  checksum: string;
  statements: string[];
};
/** What the keyspace says was applied. */
export type Applied = { version: number; name: string; checksum: string };

const SCHEMA = new URL("./schema/", import.meta.url);

/** The steps that this build knows, in order. Rejects when the numbers have holes. */
export async function readMigrations(folder: URL = SCHEMA): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".cql")).sort();
  return Promise.all(
    names.map(async (name, i) => {
      const version = Number.parseInt(name, 10);
      if (version !== i + 1) throw new Error(`${name}: expected number ${i + 1}`);
      const text = (await readFile(new URL(name, folder), "utf8")).replaceAll("\r\n", "\n");
      const checksum = createHash("sha256").update(text).digest("hex");
      return { version, name, checksum, statements: statementsOf(text) };
    }),
  );
}

/** Comments take whole lines, and a statement ends with the line. */
function statementsOf(text: string): string[] {
  const code = text
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("--"))
    .join("\n");
  return code
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}

/** What was applied to the keyspace, oldest first; undefined when it never was. Names must be qualified or looked up. */
export async function readApplied(client: Client, keyspace: string): Promise<Applied[] | undefined> {
  const tables = await client.execute(
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'schema_migrations'",
    [keyspace],
  );
  if (tables.rowLength === 0) return undefined;
  const { rows } = await client.execute(
    `SELECT version, name, checksum FROM ${keyspace}.schema_migrations WHERE scope = 'bimride'`,
  );
  return rows.map(({ version, name, checksum }) => ({ version, name, checksum }));
}

/** Rejects with an EngineError unless the keyspace is at this build's schema. */
export async function checkSchema(client: Client, { keyspace }: CassandraOptions): Promise<void> {
  const known = await readMigrations();
  const applied = (await readApplied(client, keyspace)) ?? [];
  checkUnchanged(known, applied, keyspace);
  const at = applied.at(-1)?.version ?? 0;
  if (at < known.length)
    throw new EngineError(
      "cassandra.keyspace",
      at === 0
        ? `${keyspace} has no tables of ours yet: ${MIGRATE}`
        : `the schema of ${keyspace} is older (${at}) than this build (${known.length}): ${MIGRATE}`,
    );
}

/** Throws an EngineError when more was applied than this build knows, or something else under the same number. */
export function checkUnchanged(
  known: readonly Migration[],
  applied: readonly Applied[],
  keyspace: string,
): void {
  for (const { version, name, checksum } of applied) {
    const own = known[version - 1];
    if (!own)
      throw new EngineError(
        "cassandra.keyspace",
        `the schema of ${keyspace} is newer (${applied.at(-1)!.version}) than this build (${known.length}): update it`,
      );
    if (own.checksum !== checksum)
      throw new EngineError(
        "cassandra.keyspace",
        `${keyspace} got ${name} with another content than this build's ${own.name}: an applied file must not change`,
      );
  }
}
