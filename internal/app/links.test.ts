import { pino } from "pino";
import { expect, test } from "vitest";
import { loadSettings } from "../config/settings.ts";
import { systemClock as clock } from "../core/time.ts";
import type { RegionEngines } from "../regions/regions.ts";
import { linksOf, type Share } from "./links.ts";

/** What a region's connection to Cassandra is shared by; nothing is connected. */
async function cassandraKey(own: RegionEngines): Promise<string> {
  const keys: string[] = [];
  const share: Share = async (key) => {
    keys.push(key);
    throw new Error("nothing is opened");
  };
  const settings = loadSettings({ BIMRIDE_ENGINES: "real", BIMRIDE_CASSANDRA_LOCAL_DC: "got" }, []);
  const links = linksOf(own, { settings, nodeId: "n1", clock, share, logger: pino({ level: "silent" }) });
  await expect(links.cassandra()).rejects.toThrow("nothing is opened");
  expect(keys).toEqual([`cassandra ${links.cassandraName}`]);
  return keys[0]!;
}

test("regions share a connection to Cassandra only with addresses, data centre and keyspace alike", async () => {
  const shared = await cassandraKey({});
  expect(await cassandraKey({ cassandraLocalDc: "got" })).toBe(shared);
  for (const own of [
    { cassandraLocalDc: "oslo" },
    { cassandraKeyspace: "other" },
    { cassandraContactPoints: ["c.oslo:9042"] },
  ])
    expect(await cassandraKey(own)).not.toBe(shared);
});
