import { DEFAULT_LIMITS, type Limits } from "../core/limits.ts";
import { type Given, readFlags } from "./flags.ts";
import { isLoopback, REGISTRY } from "./registry.ts";
import { envName, type Setting } from "./setting.ts";

export type SettingKey = keyof typeof REGISTRY;
type Values = { [Key in SettingKey]: (typeof REGISTRY)[Key] extends Setting<infer Value> ? Value : never };

/** All settings of a process, checked. `given` names those that somebody set, by flag or environment. */
export type Settings = Readonly<Values> & { readonly given: ReadonlySet<SettingKey> };

/** Everything that is wrong with the settings, one problem a line. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  readonly problems: readonly string[];
  /** True when the command line itself is wrong: a usage error. */
  readonly misused: boolean;

  constructor(problems: readonly string[], misused = false) {
    super(problems.join("\n"));
    this.problems = problems;
    this.misused = misused;
  }
}

/** Variables of the name's prefix that are no settings: tests and benches read them. */
const NOT_SETTINGS: ReadonlySet<string> = new Set([
  "BIMRIDE_TRACES",
  "BIMRIDE_NATS_PROFILE",
  "BIMRIDE_SCREENSHOT",
  "BIMRIDE_TEST_NATS_URL",
  "BIMRIDE_TEST_REDIS_URL",
  "BIMRIDE_TEST_CASSANDRA_CONTACT_POINTS",
]);

/**
 * Settings from flags, else the environment, else the defaults. An empty variable counts as not set.
 * @param env the environment, see readEnvironment
 * @param argv arguments after the program's name
 * @param defaults of this program where they differ, by setting's name
 * @throws SettingsError that lists all problems at once
 */
export function loadSettings(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
  defaults: Readonly<Record<string, string>> = {},
): Settings {
  const problems: string[] = [];
  const flags = readFlags(REGISTRY, argv, problems);
  let misused = problems.length > 0;
  rejectUnknownVariables(env, problems);

  const values: Record<string, unknown> = {};
  const given = new Set<SettingKey>();
  for (const [key, setting] of Object.entries(REGISTRY) as [SettingKey, Setting<unknown>][]) {
    const source = flags.get(key) ?? fromEnvironment(env, setting);
    values[key] = setting.default;
    if (source !== undefined) given.add(key);
    const own = defaults[setting.name];
    const from = source ?? (own === undefined ? undefined : { from: setting.name, text: own });
    if (from === undefined) continue;
    const parsed = setting.parse(from.text);
    if ("value" in parsed) {
      values[key] = parsed.value;
      continue;
    }
    problems.push(`${from.from} ${parsed.problem}, not ${JSON.stringify(from.text)}`);
    misused ||= flags.has(key);
  }

  const settings = { ...(values as Values), given };
  problems.push(...contradictions(settings));
  if (problems.length > 0) throw new SettingsError(problems, misused);
  return settings;
}

/** The default limits with those that a deployment may choose. */
export function limitsOf(settings: Settings): Limits {
  return {
    ...DEFAULT_LIMITS,
    logRetentionMs: settings.logRetentionMs,
    maxFixAgeMs: settings.logRetentionMs,
    settleAfterMs: settings.settlementDelayMs,
    liveAfterEndMs: settings.liveAfterEndMs,
    delayedAfterMs: settings.liveDelayedAfterMs,
    staleAfterMs: settings.liveStaleAfterMs,
    lostAfterMs: settings.liveLostAfterMs,
  };
}

function fromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  setting: Setting<unknown>,
): Given | undefined {
  const from = envName(setting.name);
  const given = env[from];
  return given === undefined || given === "" ? undefined : { from, text: given };
}

function rejectUnknownVariables(env: Readonly<Record<string, string | undefined>>, problems: string[]): void {
  const known = new Set(Object.values(REGISTRY).map((setting) => envName(setting.name)));
  for (const name of Object.keys(env)) {
    if (!name.startsWith("BIMRIDE_") || known.has(name) || NOT_SETTINGS.has(name)) continue;
    problems.push(`${name} is no setting (docs/CONFIG.md lists them all)`);
  }
}

function contradictions(settings: Settings): string[] {
  const problems: string[] = [];
  const { liveDelayedAfterMs, liveStaleAfterMs, liveLostAfterMs } = settings;
  if (!(liveDelayedAfterMs < liveStaleAfterMs && liveStaleAfterMs < liveLostAfterMs)) {
    problems.push(
      `live.delayed_after_ms < live.stale_after_ms < live.lost_after_ms must hold, not ${liveDelayedAfterMs}, ${liveStaleAfterMs}, ${liveLostAfterMs}`,
    );
  }
  const hasTls = settings.tlsCertFile !== "" || settings.listenLan;
  for (const [name, host] of [
    ["http.host", settings.httpHost],
    ["grpc.host", settings.grpcHost],
    ["mqtt.host", settings.mqttHost],
  ] as const) {
    if (!isLoopback(host) && !hasTls && !settings.listenPlaintext)
      problems.push(
        `${name} must be a loopback address (127.x.x.x, ::1 or localhost), not ${host}: without tls.cert_file it would send tokens and positions in the clear; listen.plaintext allows it where something in front ends TLS`,
      );
  }
  if ((settings.tlsCertFile === "") !== (settings.tlsKeyFile === ""))
    problems.push("tls.cert_file and tls.key_file are set together or not at all");
  if (settings.natsCredsFile !== "" && (settings.natsUser !== "" || settings.natsPasswordFile !== ""))
    problems.push("nats.creds_file excludes nats.user and nats.password_file");
  if (settings.authJwksFile !== "" && settings.authJwksUrl !== "") {
    problems.push("auth.jwks_file and auth.jwks_url exclude each other");
  }
  return problems;
}
