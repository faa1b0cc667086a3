import type { EngineDefaults, Region } from "./regions.ts";

/**
 * A line for each keyspace that regions name in several data centres: quorums and conditional statements are those of
 * one, so each would decide on its own copy who has which driver. Whatever the addresses: nodes of one cluster have
 * different ones in each data centre.
 */
export function splitKeyspaces(regions: readonly Region[], defaults: EngineDefaults): string[] {
  const uses = regions.map(({ name, engines }) => ({ name, ...defaults, ...engines }));
  return [...Map.groupBy(uses, (use) => use.cassandraKeyspace)].flatMap(([keyspace, users]) => {
    const byDataCenter = Map.groupBy(users, (use) => use.cassandraLocalDc);
    if (byDataCenter.size === 1) return [];
    const where = [...byDataCenter].map(
      ([dataCenter, [first]]) => `${JSON.stringify(first!.name)} in ${dataCenter}`,
    );
    return [
      `the keyspace ${keyspace} is of several data centres: ${where.join(", ")}; give each its own (cassandraKeyspace)`,
    ];
  });
}
