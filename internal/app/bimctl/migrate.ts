import type { CassandraOptions } from "../../cassandra/options.ts";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { EngineError } from "../../core/engine-error.ts";
import { cassandraOptions } from "../links.ts";
import { readRegions } from "../read-regions.ts";
import type { Command } from "./command.ts";

/** Brings every keyspace of the deployment to this build's schema; none when one of them can't be reached. */
export const migrateCommand: Command = {
  usage: "[flags of npm start]",
  summary:
    "makes the keyspaces in Cassandra (one, or one per region that names its own) and brings their tables up to date",
  async run(args, { env, print, complain }) {
    const settings = loadSettings(env, args);
    const { checkMigration, migrate } = await import("../../cassandra/migrate.ts");
    const how = {
      replication: settings.cassandraReplication,
      retentionMs: settings.historyRetentionMs,
      print,
    };
    try {
      const keyspaces = await distinctKeyspaces(settings);
      for (const keyspace of keyspaces) await checkMigration(keyspace, how);
      for (const keyspace of keyspaces) await migrate(keyspace, how);
      return 0;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      complain(error.message);
      return 1;
    }
  },
};

/** In the order of the regions. */
async function distinctKeyspaces(settings: Settings): Promise<CassandraOptions[]> {
  const { all } = await readRegions(settings);
  const each = await Promise.all(all.map(({ engines }) => cassandraOptions(settings, engines)));
  const byName = Map.groupBy(each, ({ contactPoints, localDataCenter, keyspace }) =>
    [[...contactPoints].sort(), localDataCenter, keyspace].join(" "),
  );
  return [...byName.values()].map(([first]) => first!);
}
