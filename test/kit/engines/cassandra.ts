import { cassandraArguments, writeCassandraFiles } from "./cassandra-files.ts";
import type { Engine, StartOptions } from "./engine.ts";
import { exchange } from "./exchange.ts";
import { findCassandraJars, findProgram } from "./find-program.ts";
import { freePort } from "./free-port.ts";
import { imageOf } from "./image-of.ts";
import { startContainer } from "./server-container.ts";
import { startServer, workFolder } from "./server-process.ts";
import { listening, startEngine } from "./start-engine.ts";

export type CassandraOptions = StartOptions & {
  /** Heap of the Java process. Without it 512; 256 is enough for little data and takes twice as long to start. */
  heapMb?: number;
  /** 127.x.x.x address that a native node listens on. Without it 127.0.0.1. */
  host?: string;
  /** Nodes of one cluster share it. Without it a free one. */
  storagePort?: number;
  /** Address of the node to join; without it a cluster of its own. */
  seedHost?: string;
  /** More entries of cassandra.yaml, like an authenticator. Native only. */
  settings?: Readonly<Record<string, unknown>>;
};

/** The data centre's name in every Cassandra of the kit. */
export const CASSANDRA_DATA_CENTER = "datacenter1";

const HOW_TO_GET = "Get it with `npm run engines` (needs Maven), and Java 17 on the PATH.";
const INNER_PORT = 9042;
const START_TIMEOUT_MS = 180_000;
const DEFAULT_HEAP_MB = 512;

/**
 * Starts a Cassandra node, by itself or as one more of a cluster. Takes 7 to 15 s and about twice its heap.
 * @throws EngineMissing when there is no way to one on this machine
 */
export async function startCassandra(options: CassandraOptions = {}): Promise<Engine> {
  const jars = findCassandraJars();
  const java = findProgram("java");
  const nativeOnly = [options.folder, options.host, options.seedHost, options.settings].some(
    (option) => option !== undefined,
  );
  return startEngine({
    name: "cassandra",
    howToGet: HOW_TO_GET,
    native: jars === undefined || java === undefined ? undefined : () => startNative(java, jars, options),
    container: nativeOnly ? undefined : () => startInContainer(options),
  });
}

async function startNative(java: string, jars: string, options: CassandraOptions) {
  const folder = await workFolder("cassandra", options.folder);
  const host = options.host ?? "127.0.0.1";
  const port = options.port ?? (await freePort(host));
  const storagePort = options.storagePort ?? (await freePort(host));
  const node = {
    host,
    port,
    storagePort,
    seed: `${options.seedHost ?? host}:${storagePort}`,
    heapMb: options.heapMb ?? DEFAULT_HEAP_MB,
    settings: options.settings ?? {},
  };
  await writeCassandraFiles(folder.path, node);
  const server = await startServer({
    name: "cassandra",
    command: java,
    args: cassandraArguments(jars, folder.path, node),
    host,
    port,
    folder,
    probe: probeCassandra,
    startTimeoutMs: START_TIMEOUT_MS,
  });
  return listening(server, host, port);
}

function startInContainer(options: CassandraOptions) {
  const heap = `${options.heapMb ?? DEFAULT_HEAP_MB}M`;
  return startContainer({
    image: imageOf("cassandra"),
    innerPort: INNER_PORT,
    port: options.port,
    env: { MAX_HEAP_SIZE: heap, HEAP_NEWSIZE: "128M", CASSANDRA_SNITCH: "SimpleSnitch" },
    probe: probeCassandra,
    startTimeoutMs: START_TIMEOUT_MS,
  });
}

/** CQL native protocol 4: header of a request without body. Its fifth byte is the operation. */
const HEADER_BYTES = 9;
const OPERATION = 4;
const OPTIONS = 0x05;
const SUPPORTED = 0x06;

/** Asks for the options of the CQL port, which a node answers, without a login, once it has joined its cluster. */
export async function probeCassandra(host: string, port: number): Promise<string> {
  const request = Buffer.from([4, 0, 0, 0, OPTIONS, 0, 0, 0, 0]);
  const answer = await exchange({ host, port }, request, (received) => {
    if (received.length < HEADER_BYTES) return undefined;
    return received.length >= HEADER_BYTES + received.readUInt32BE(5) ? received : undefined;
  });
  if (answer[OPERATION] !== SUPPORTED) throw new Error("what answers is no Cassandra");
  const newest = [...answer.toString("latin1").matchAll(/\b(\d)\/v\d(-beta)?/g)].filter(
    ([, , beta]) => !beta,
  );
  return `CQL protocol ${newest.at(-1)?.[1] ?? "unknown"}`;
}
