import { isHostAndPort } from "../core/host-and-port.ts";
import { KEYSPACE_PATTERN, REGION_PATTERN } from "../core/ids.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { choice, integer, onOff, text } from "./setting.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MIB = 1 << 20;
const FILE = "a file, or empty";
const ANY = "any text, or empty";

/**
 * Every setting of a deployment, in the order of docs/CONFIG.md. Keys are the names in camelCase. Bounds that are no
 * deployment's choice are in internal/core/limits.ts.
 */
export const REGISTRY = {
  dataDir: text("data.dir", ".bimride", {
    flag: "data",
    range: "a folder",
    accept: (given) => given.trim() !== "",
    doc: "Folder of everything that outlives the process. Made when missing; one process at a time holds it. A role process keeps its things in a folder of its role's name within the default.",
  }),
  dataFresh: onOff("data.fresh", false, {
    flag: "fresh",
    doc: "Empty the data folder at the start. Trips and history in it are gone.",
  }),
  region: text("region", "local", {
    range: "1 to 16 of a-z 0-9",
    accept: (given) => REGION_PATTERN.test(given),
    doc: "Region of this deployment: part of the log's name and of every trip id. Never change it on existing data.",
  }),

  httpHost: text("http.host", "127.0.0.1", {
    range: "a host name or address",
    accept: isHost,
    doc: "Address that pages, Connect, REST and WebSocket listen on. Beyond loopback only with TLS, or with listen.plaintext.",
  }),
  httpPort: integer("http.port", 8080, {
    flag: "http-port",
    min: 0,
    max: 65_535,
    doc: "Port of pages, Connect, REST and WebSocket. 0 takes any free one. A default that is taken moves to the next free port and says so; a port set by hand that is taken ends the start.",
  }),
  httpOrigins: text("http.origins", "", {
    range: "empty, or origins like https://maps.example.com separated by commas",
    accept: (given) => given === "" || given.split(",").every(isOrigin),
    doc: "Other web origins whose pages may call this server (CORS). Empty: only its own pages.",
  }),
  grpcHost: text("grpc.host", "127.0.0.1", {
    range: "a host name or address",
    accept: isHost,
    doc: "Address that the drivers' gRPC port listens on. Beyond loopback only with TLS, or with listen.plaintext.",
  }),
  grpcPort: integer("grpc.port", 50_051, {
    flag: "grpc-port",
    min: 0,
    max: 65_535,
    doc: "Port of the drivers' gRPC stream. 0 takes any free one. A default that is taken moves to the next free port and says so.",
  }),
  mqttHost: text("mqtt.host", "127.0.0.1", {
    range: "a host name or address",
    accept: isHost,
    doc: "Address that the devices' MQTT port listens on. Beyond loopback only with TLS, or with listen.plaintext.",
  }),
  mqttPort: integer("mqtt.port", 1883, {
    flag: "mqtt-port",
    min: 0,
    max: 65_535,
    doc: "Port of the devices' MQTT. 0 takes any free one. A default that is taken moves to the next free port and says so.",
  }),

  tlsCertFile: text("tls.cert_file", "", {
    range: FILE,
    accept: () => true,
    doc: "Certificate that all ports show, with the intermediate ones behind it, PEM. With tls.key_file every port of the process has TLS (1.2 or newer). Both files are looked at each minute and taken when they changed, without a restart.",
  }),
  tlsKeyFile: text("tls.key_file", "", {
    range: FILE,
    accept: () => true,
    doc: "Its private key, PEM, without a password.",
  }),
  listenLan: onOff("listen.lan", false, {
    flag: "lan",
    doc: "For `npm start`: let phones of the same network in. http.host becomes 0.0.0.0 unless it is set; without tls.cert_file all ports get TLS with a development certificate (`bimctl certs`), kept in `tls` in the data folder. In demo mode a phone joins with the code that is printed.",
  }),
  lanCaPort: integer("lan.ca_port", 8081, {
    min: 0,
    max: 65_535,
    doc: "Port of listen.lan that hands out the development CA's certificate by plain HTTP, and nothing else. 0 takes any free one.",
  }),
  listenPlaintext: onOff("listen.plaintext", false, {
    doc: "Listen beyond loopback without TLS. Only where something in front ends TLS, or on a network of containers that nobody else reaches: tokens and positions are sent in the clear.",
  }),
  httpPublicUrl: text("http.public_url", "", {
    range: "an http or https origin, or empty",
    accept: (given) => given === "" || isOrigin(given),
    doc: "Under which address clients reach this node's HTTP port, for placement. Empty: as it listens, under the machine's name where that is every address.",
  }),
  grpcPublicAddress: text("grpc.public_address", "", {
    range: "host:port, or empty",
    accept: (given) => given === "" || isHostAndPort(given),
    doc: "Under which address drivers reach this node's gRPC port, for placement. Empty: likewise.",
  }),
  regionsFile: text("regions.file", "", {
    range: "a file, or empty",
    accept: () => true,
    doc: "GeoJSON with the regions' polygons and, where they have engines of their own, their addresses (docs/OPERATIONS.md). Empty: one region, named by `region`.",
  }),

  engines: choice("engines", ["embedded", "real"], "embedded", {
    flag: "engines",
    doc: "embedded: SQLite and memory in this process. real: NATS JetStream, Redis and Cassandra or ScyllaDB at the addresses below; the default of a role process (gateway, processor, edge), which takes no others.",
  }),
  natsServers: text("nats.servers", "127.0.0.1:4222", {
    range: "host:port, several separated by commas",
    accept: isHostList,
    doc: "NATS servers with JetStream, 2.12 or newer.",
  }),
  natsUser: text("nats.user", "", { range: ANY, accept: () => true, doc: "User at NATS." }),
  natsPasswordFile: text("nats.password_file", "", {
    range: FILE,
    accept: () => true,
    doc: "File with the password at NATS.",
  }),
  natsCredsFile: text("nats.creds_file", "", {
    range: FILE,
    accept: () => true,
    doc: "Credentials file (JWT and seed) for NATS, instead of user and password.",
  }),
  natsTls: onOff("nats.tls", false, { doc: "TLS to NATS." }),
  natsCaFile: text("nats.ca_file", "", {
    range: FILE,
    accept: () => true,
    doc: "Certificate authority of the NATS servers, PEM. Empty: the system's.",
  }),
  natsReplicas: integer("nats.replicas", 1, {
    min: 1,
    max: 5,
    doc: "Copies of each stream and bucket; 3 in production.",
  }),
  redisNodes: text("redis.nodes", "127.0.0.1:6379", {
    range: "host:port, several separated by commas",
    accept: isHostList,
    doc: "The Redis server, or some of the cluster's nodes; 7.0 or newer.",
  }),
  redisCluster: onOff("redis.cluster", false, { doc: "redis.nodes are nodes of a Redis Cluster." }),
  redisUser: text("redis.user", "", { range: ANY, accept: () => true, doc: "User at Redis (ACL)." }),
  redisPasswordFile: text("redis.password_file", "", {
    range: FILE,
    accept: () => true,
    doc: "File with the password at Redis.",
  }),
  redisTls: onOff("redis.tls", false, { doc: "TLS to Redis." }),
  redisCaFile: text("redis.ca_file", "", {
    range: FILE,
    accept: () => true,
    doc: "Certificate authority of the Redis servers, PEM. Empty: the system's.",
  }),
  cassandraContactPoints: text("cassandra.contact_points", "127.0.0.1:9042", {
    range: "host:port, several separated by commas",
    accept: isHostList,
    doc: "Some nodes of Cassandra (4.0 or newer), or of ScyllaDB, which was never tried: see docs/OPERATIONS.md.",
  }),
  cassandraLocalDc: text("cassandra.local_dc", "datacenter1", {
    range: "1 to 100 characters",
    accept: (given) => given.length >= 1 && given.length <= 100,
    doc: "Data centre of this region: reads and writes need a quorum there (LOCAL_QUORUM).",
  }),
  cassandraKeyspace: text("cassandra.keyspace", "bimride", {
    range: "1 to 48 of a-z 0-9 _, beginning with a letter, and not system or system_…",
    accept: (given) => KEYSPACE_PATTERN.test(given),
    doc: "Keyspace, made by `npm run -s bimctl -- migrate`.",
  }),
  cassandraUser: text("cassandra.user", "", { range: ANY, accept: () => true, doc: "User at Cassandra." }),
  cassandraPasswordFile: text("cassandra.password_file", "", {
    range: FILE,
    accept: () => true,
    doc: "File with the password at Cassandra.",
  }),
  cassandraTls: onOff("cassandra.tls", false, { doc: "TLS to Cassandra." }),
  cassandraCaFile: text("cassandra.ca_file", "", {
    range: FILE,
    accept: () => true,
    doc: "Certificate authority of the Cassandra nodes, PEM. Empty: the system's.",
  }),
  cassandraReplication: integer("cassandra.replication", 1, {
    min: 1,
    max: 7,
    doc: "Copies of each row in the data centre, used by `bimctl migrate` when it makes the keyspace; 3 in production.",
  }),
  gatewaySpoolMaxBytes: integer("gateway.spool_max_bytes", 4 * 1024 * MIB, {
    min: MIB,
    max: 1024 * 1024 * MIB,
    unit: "bytes",
    doc: "Most that a gateway's disk spool may take while the log is away (real engines). At the bound verdicts are withheld.",
  }),
  historyStorePeriodMs: integer("history.store_period_ms", 30_000, {
    min: 100,
    max: 240_000,
    unit: "ms",
    doc: "How long a history row that grows may wait until it is written again (real engines); rows are written at once when they are full. Until then the fixes are safe in the log and missing in track queries.",
  }),

  logRetentionMs: integer("log.retention_ms", DEFAULT_LIMITS.logRetentionMs, {
    min: DAY_MS,
    max: 2 * DAY_MS,
    unit: "ms",
    doc: "How long the log keeps records for replay.",
  }),
  logMaxBytes: integer("log.max_bytes", 8 * 1024 * MIB, {
    min: 16 * MIB,
    max: 1024 * 1024 * MIB,
    unit: "bytes",
    doc: "Most that a region's log may take on disk (of each copy). At the bound appends are refused with LOG_FULL, nothing is acknowledged and /readyz is 503, until old records leave by age.",
  }),
  historyRetentionMs: integer("history.retention_ms", 30 * DAY_MS, {
    min: DAY_MS,
    max: 3_660 * DAY_MS,
    unit: "ms",
    doc: "Support period: how long tracks, events and final records of trips are kept.",
  }),

  settlementDelayMs: integer("settlement.delay_ms", DEFAULT_LIMITS.settleAfterMs, {
    min: 0,
    max: DAY_MS,
    unit: "ms",
    doc: "Wait after a trip's end before its final record is computed, so that late fixes are in.",
  }),
  liveAfterEndMs: integer("live.after_end_ms", DEFAULT_LIMITS.liveAfterEndMs, {
    min: 0,
    max: 30 * 60_000,
    unit: "ms",
    doc: "How long after a trip's end its live state may still be watched.",
  }),
  liveDelayedAfterMs: integer("live.delayed_after_ms", DEFAULT_LIMITS.delayedAfterMs, {
    min: 1_000,
    max: HOUR_MS,
    unit: "ms",
    doc: "Age from which a position is DELAYED. Must be below live.stale_after_ms.",
  }),
  liveStaleAfterMs: integer("live.stale_after_ms", DEFAULT_LIMITS.staleAfterMs, {
    min: 1_000,
    max: HOUR_MS,
    unit: "ms",
    doc: "Age from which a position is STALE. Must be below live.lost_after_ms.",
  }),
  liveLostAfterMs: integer("live.lost_after_ms", DEFAULT_LIMITS.lostAfterMs, {
    min: 1_000,
    max: HOUR_MS,
    unit: "ms",
    doc: "Age from which a position is LOST.",
  }),

  authJwksFile: text("auth.jwks_file", "", {
    range: "a file, or empty",
    accept: () => true,
    doc: "JSON Web Key Set with the public keys of the token issuer (ES256, EdDSA). With neither file nor URL, demo mode makes keys of its own in the data folder; without demo mode the start ends.",
  }),
  authJwksUrl: text("auth.jwks_url", "", {
    range: "an https URL, an http URL on loopback, or empty",
    accept: (given) => given === "" || isKeyUrl(given),
    doc: "Where to fetch the JSON Web Key Set instead. Not together with auth.jwks_file.",
  }),
  authKeyFolder: text("auth.key_folder", "", {
    range: "a folder, or empty",
    accept: () => true,
    doc: "Folder of the key that this deployment signs demo tokens with (`npm run -s bimctl -- keys`), with its key set. Empty: `keys` in the data folder. Not looked at with auth.jwks_file or auth.jwks_url.",
  }),
  authIssuer: text("auth.issuer", "bimride", {
    range: "1 to 200 characters",
    accept: (given) => given.length >= 1 && given.length <= 200,
    doc: "Required `iss` of every token.",
  }),
  authAudience: text("auth.audience", "bimride", {
    range: "1 to 200 characters",
    accept: (given) => given.length >= 1 && given.length <= 200,
    doc: "Required `aud` of every token.",
  }),

  demoEnabled: onOff("demo.enabled", true, {
    flag: "demo",
    doc: "A simulated fleet in the demo city, and its tokens for browsers on this machine. Switch it off wherever real people are tracked. Off by default in a role process.",
  }),
  demoCars: integer("demo.cars", 60, { min: 1, max: 2_000, doc: "Cars of the demo fleet." }),
  demoSeed: integer("demo.seed", 1, {
    min: 0,
    max: 2 ** 32 - 1,
    doc: "Seed of the demo fleet: the same seed drives the same ways.",
  }),
  mapStyleUrl: text("map.style_url", "", {
    range: "an https URL, or empty",
    accept: (given) => given === "" || isHttps(given),
    doc: "MapLibre style of the base map. Empty: the streets of the demo city that come with the pages, which work offline.",
  }),

  telemetryLevel: choice("telemetry.level", ["error", "warn", "info", "debug", "silent"], "info", {
    doc: "Least severity of what is logged (to standard error).",
  }),
  telemetryFormat: choice("telemetry.format", ["auto", "json", "plain"], "auto", {
    doc: "json: one object a line; plain: for people; auto: plain on a terminal, json elsewhere.",
  }),
} as const;

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function isHost(given: string): boolean {
  return /^[A-Za-z0-9.:_-]{1,255}$/.test(given);
}

function isHostList(given: string): boolean {
  return given.split(",").every((part) => isHostAndPort(part.trim()));
}

function isHttps(given: string): boolean {
  return URL.canParse(given) && new URL(given).protocol === "https:";
}

function isKeyUrl(given: string): boolean {
  if (isHttps(given)) return true;
  if (!URL.canParse(given)) return false;
  const url = new URL(given);
  return url.protocol === "http:" && isLoopback(url.hostname.replace(/^\[|\]$/g, ""));
}

function isOrigin(given: string): boolean {
  return URL.canParse(given) && /^https?:/.test(given) && new URL(given).origin === given;
}
