import { REGION_PATTERN } from "../core/ids.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { choice, integer, onOff, text } from "./setting.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MIB = 1 << 20;

/**
 * Every setting of a deployment, in the order of docs/CONFIG.md. Keys are the names in camelCase. Bounds that are no
 * deployment's choice are in internal/core/limits.ts.
 */
export const REGISTRY = {
  dataDir: text("data.dir", ".bimride", {
    flag: "data",
    range: "a folder",
    accept: (given) => given.trim() !== "",
    doc: "Folder of everything that outlives the process. Made when missing; one process at a time holds it.",
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
    range: "a loopback address",
    accept: isLoopback,
    problem:
      "must be a loopback address (127.x.x.x, ::1 or localhost): this version has no TLS yet, so it would send tokens and positions in the clear",
    doc: "Address that pages, Connect, REST and WebSocket listen on.",
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
    range: "a loopback address",
    accept: isLoopback,
    problem:
      "must be a loopback address (127.x.x.x, ::1 or localhost): this version has no TLS yet, so it would send tokens and positions in the clear",
    doc: "Address that the drivers' gRPC port listens on.",
  }),
  grpcPort: integer("grpc.port", 50_051, {
    flag: "grpc-port",
    min: 0,
    max: 65_535,
    doc: "Port of the drivers' gRPC stream. 0 takes any free one. A default that is taken moves to the next free port and says so.",
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
    doc: "Most that the log may take on disk. At the bound appends are refused with LOG_FULL, nothing is acknowledged and /readyz is 503, until old records leave by age.",
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
    doc: "A simulated fleet in the demo city, and its tokens for browsers on this machine. Switch it off wherever real people are tracked.",
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

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
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
