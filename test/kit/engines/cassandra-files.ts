import { readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";

/** What a native Cassandra node is started with. */
export type CassandraNode = {
  readonly host: string;
  /** Of CQL. */
  readonly port: number;
  /** Between nodes. */
  readonly storagePort: number;
  /** host:storagePort of the node that others join by; its own for the first. */
  readonly seed: string;
  readonly heapMb: number;
  /** More entries of cassandra.yaml, like an authenticator. */
  readonly settings: Readonly<Record<string, unknown>>;
};

/** What Cassandra's own start script opens of the Java 17 runtime. */
const OPENED: Readonly<Record<string, readonly string[]>> = {
  "java.base": [
    ...[
      "java.io",
      "java.lang",
      "java.lang.module",
      "java.lang.ref",
      "java.lang.reflect",
      "java.math",
      "java.net",
    ],
    ...["java.nio", "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch"],
    ...["jdk.internal.loader", "jdk.internal.math", "jdk.internal.misc", "jdk.internal.module"],
    ...["jdk.internal.ref", "jdk.internal.reflect", "jdk.internal.util.jar", "jdk.internal.vm"],
  ],
  "java.rmi": ["sun.rmi.registry", "sun.rmi.server", "sun.rmi.transport.tcp"],
  "java.sql": ["java.sql"],
  "java.management.rmi": ["com.sun.jmx.remote.internal.rmi"],
  "jdk.management": ["com.sun.management.internal"],
  "jdk.unsupported": ["sun.misc"],
};

/** Arguments of `java` that start a node from the jars. */
export function cassandraArguments(jars: string, folder: string, node: CassandraNode): string[] {
  const agent = readdirSync(jars).find((name) => /^jamm-.*\.jar$/.test(name));
  if (agent === undefined) throw new Error(`${jars} has no jamm jar: run npm run engines again`);
  const opened = Object.entries(OPENED).flatMap(([module, packages]) =>
    packages.flatMap((name) =>
      ["--add-opens", "--add-exports"].map((option) => `${option}=${module}/${name}=ALL-UNNAMED`),
    ),
  );
  return [
    ...opened,
    "-Djdk.attach.allowAttachSelf=true",
    `-javaagent:${join(jars, agent)}`,
    `-Xms${node.heapMb}m`,
    `-Xmx${node.heapMb}m`,
    "-XX:+UseSerialGC",
    `-XX:ErrorFile=${join(folder, "hs_err.log")}`,
    "-Djava.awt.headless=true",
    `-Djava.io.tmpdir=${join(folder, "tmp")}`,
    `-Dlogback.configurationFile=file://${join(folder, "logback.xml")}`,
    `-Dcassandra.config=file://${join(folder, "cassandra.yaml")}`,
    `-Dcassandra.storagedir=${folder}`,
    "-Dcassandra.ring_delay_ms=0",
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-cp",
    join(jars, "*"),
    "org.apache.cassandra.service.CassandraDaemon",
  ];
}

/** Writes the configuration of a node into its folder. */
export async function writeCassandraFiles(folder: string, node: CassandraNode): Promise<void> {
  await mkdir(join(folder, "tmp"), { recursive: true });
  await writeFile(join(folder, "logback.xml"), LOGBACK);
  await writeFile(
    join(folder, "cassandra.yaml"),
    stringify({ ...settingsOf(folder, node), ...node.settings }),
  );
}

const LOGBACK = `<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{ISO8601} %-5level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="OUT"/></root>
</configuration>
`;

/**
 * With the default, `periodic`, a write is answered up to 100 ms before the commit log on disk is readable up to it, so a
 * single node loses what it acknowledged last when its process is killed.
 */
const DURABILITY = { commitlog_sync: "batch" };

function settingsOf(folder: string, node: CassandraNode): Record<string, unknown> {
  return {
    cluster_name: "bimride",
    num_tokens: 1,
    partitioner: "org.apache.cassandra.dht.Murmur3Partitioner",
    endpoint_snitch: "SimpleSnitch",
    seed_provider: [
      {
        class_name: "org.apache.cassandra.locator.SimpleSeedProvider",
        parameters: [{ seeds: node.seed }],
      },
    ],
    listen_address: node.host,
    rpc_address: node.host,
    storage_port: node.storagePort,
    native_transport_port: node.port,
    storage_compatibility_mode: "NONE",
    data_file_directories: [join(folder, "data")],
    commitlog_directory: join(folder, "commitlog"),
    saved_caches_directory: join(folder, "saved_caches"),
    hints_directory: join(folder, "hints"),
    cdc_raw_directory: join(folder, "cdc_raw"),
    ...DURABILITY,
    commitlog_segment_size: "16MiB",
    commitlog_disk_access_mode: "mmap",
    auto_snapshot: false,
    key_cache_size: "16MiB",
    counter_cache_size: "4MiB",
    row_cache_size: "0MiB",
    prepared_statements_cache_size: "8MiB",
    memtable_heap_space: "96MiB",
    memtable_offheap_space: "96MiB",
    file_cache_enabled: false,
    disk_failure_policy: "die",
    commit_failure_policy: "die",
  };
}
