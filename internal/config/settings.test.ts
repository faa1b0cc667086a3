import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { configDocument, defaultEnvironment } from "./config-doc.ts";
import { REGISTRY } from "./registry.ts";
import { envName } from "./setting.ts";
import { limitsOf, loadSettings, SettingsError } from "./settings.ts";

function problemsOf(env: Record<string, string>, argv: string[]): readonly string[] {
  try {
    loadSettings(env, argv);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

describe("loadSettings", () => {
  test("without flags and variables every setting has its default and none counts as given", () => {
    const settings = loadSettings({ PATH: "/bin" }, []);
    for (const [key, setting] of Object.entries(REGISTRY)) {
      expect(settings[key as keyof typeof REGISTRY]).toBe(setting.default);
    }
    expect(settings.given.size).toBe(0);
  });

  test("a flag wins over a variable, a variable over the default, and both count as given", () => {
    const env = { BIMRIDE_HTTP_PORT: "9000", BIMRIDE_GRPC_PORT: "9001" };
    const settings = loadSettings(env, [
      "--http-port",
      "9100",
      "--no-demo",
      "--fresh",
      "--data",
      "elsewhere",
    ]);
    expect(settings).toMatchObject({
      httpPort: 9100,
      grpcPort: 9001,
      demoEnabled: false,
      dataFresh: true,
      dataDir: "elsewhere",
    });
    expect([...settings.given].sort()).toEqual([
      "dataDir",
      "dataFresh",
      "demoEnabled",
      "grpcPort",
      "httpPort",
    ]);
  });

  test.each(["86399999", "172800001", "48h"])("the log keeps 24 to 48 hours, not %s", (given) => {
    const load = () => loadSettings({ BIMRIDE_LOG_RETENTION_MS: given }, []);
    expect(load).toThrow(/BIMRIDE_LOG_RETENTION_MS .*must be a whole number of 86400000 to 172800000 \(ms\)/);
  });

  test("an empty variable counts as not set", () => {
    expect(loadSettings({ BIMRIDE_HTTP_PORT: "" }, []).httpPort).toBe(8080);
  });

  test("all problems are reported at once, each with where it came from", () => {
    const env = { BIMRIDE_HTTP_PORT: "70000", BIMRIDE_REGION: "No Region", BIMRIDE_HTP_PORT: "1" };
    const problems = problemsOf(env, ["--grpc-port", "many", "--nope", "stray"]);
    expect(problems).toHaveLength(6);
    for (const word of ["BIMRIDE_HTTP_PORT", "BIMRIDE_REGION", "BIMRIDE_HTP_PORT", "--grpc-port", "--nope"]) {
      expect(
        problems.some((problem) => problem.includes(word)),
        word,
      ).toBe(true);
    }
  });

  test.each([
    [["--http-port"], "needs a value"],
    [["--http-port", "--fresh"], "needs a value"],
    [["--fresh=yes"], "takes no value"],
    [["--amqp-port", "1883"], "is no flag of this command"],
    [["--no-data"], "is no flag of this command"],
    [["-x"], "is no flag of this command"],
  ])("%j is refused: %s", (argv, problem) => {
    expect(problemsOf({}, argv).join()).toContain(problem);
  });

  test.each(["0.0.0.0", "192.168.1.4", "example.com", "::"])(
    "%s is refused without TLS, unless plaintext is asked for",
    (host) => {
      expect(problemsOf({ BIMRIDE_HTTP_HOST: host }, []).join()).toContain("without tls.cert_file");
      expect(problemsOf({ BIMRIDE_GRPC_HOST: host }, []).join()).toContain("without tls.cert_file");
      const plaintext = { BIMRIDE_HTTP_HOST: host, BIMRIDE_LISTEN_PLAINTEXT: "true" };
      expect(loadSettings(plaintext, []).httpHost).toBe(host);
    },
  );

  test.each(["127.0.0.1", "127.3.0.9", "::1", "localhost"])("%s is a loopback address", (host) => {
    expect(loadSettings({ BIMRIDE_HTTP_HOST: host }, []).httpHost).toBe(host);
  });

  test("keys are fetched by https, or by http on loopback only", () => {
    const load = (url: string) => problemsOf({ BIMRIDE_AUTH_JWKS_URL: url }, []).length;
    expect(load("https://issuer.example/keys")).toBe(0);
    expect(load("http://127.0.0.1:9000/keys")).toBe(0);
    expect(load("http://[::1]:9000/keys")).toBe(0);
    expect(load("http://issuer.example/keys")).toBe(1);
    expect(load("keys.json")).toBe(1);
  });

  test.each([
    ["BIMRIDE_NATS_SERVERS", "nats-1:4222, ...:4222"],
    ["BIMRIDE_REDIS_NODES", "redis:0"],
    ["BIMRIDE_CASSANDRA_CONTACT_POINTS", "10.0.0.300:9042"],
    ["BIMRIDE_CASSANDRA_KEYSPACE", "system_auth"],
  ])("%s can't be %s", (name, given) => {
    expect(problemsOf({ [name]: given }, [])).toEqual([expect.stringContaining(name)]);
  });

  test("settings that contradict each other are refused", () => {
    const problems = problemsOf(
      {
        BIMRIDE_LIVE_STALE_AFTER_MS: "5000",
        BIMRIDE_AUTH_JWKS_FILE: "keys.json",
        BIMRIDE_AUTH_JWKS_URL: "https://issuer.example/keys",
      },
      [],
    );
    expect(problems).toHaveLength(2);
  });

  test("the error shows every problem on a line of its own", () => {
    expect(() => loadSettings({ BIMRIDE_HTTP_PORT: "x" }, ["--nope"])).toThrow(
      /^--nope .*\nBIMRIDE_HTTP_PORT .*$/,
    );
  });

  test.each([
    [{}, ["--nope"], true],
    [{}, ["--http-port", "x"], true],
    [{ BIMRIDE_HTTP_PORT: "x" }, ["--nope"], true],
    [{ BIMRIDE_HTTP_PORT: "x" }, ["--grpc-port", "1"], false],
    [{ BIMRIDE_HTP_PORT: "1" }, [], false],
  ])("%j with %j: a wrong command line is told from wrong settings", (env, argv, misused) => {
    expect(() => loadSettings(env, argv)).toThrow(expect.objectContaining({ misused }));
  });
});

describe("the registry", () => {
  test("keys are the names in camelCase, and no flag or variable stands twice", () => {
    const flags = new Set<string>();
    const variables = new Set<string>();
    for (const [key, setting] of Object.entries(REGISTRY)) {
      expect(key).toBe(setting.name.replace(/[._]([a-z])/g, (_, letter: string) => letter.toUpperCase()));
      expect(variables.has(envName(setting.name))).toBe(false);
      variables.add(envName(setting.name));
      if (setting.flag === undefined) continue;
      expect(flags.has(setting.flag)).toBe(false);
      flags.add(setting.flag);
    }
  });

  test("every default is a value that its own setting accepts", () => {
    for (const setting of Object.values(REGISTRY)) {
      expect(setting.parse(String(setting.default))).toEqual({ value: setting.default });
    }
  });

  test("docs/CONFIG.md is what the registry says", () => {
    expect(readFileSync(new URL("../../docs/CONFIG.md", import.meta.url), "utf8")).toBe(configDocument());
  });

  test("the printed defaults load as an environment and change nothing", () => {
    const env = Object.fromEntries(
      defaultEnvironment()
        .split("\n")
        .filter((line) => line.startsWith("BIMRIDE_"))
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    const { given: _given, ...loaded } = loadSettings(env, []);
    const { given: _none, ...defaults } = loadSettings({}, []);
    expect(loaded).toEqual(defaults);
  });
});

test("the limits take what a deployment may choose and keep the rest", () => {
  const settings = loadSettings({ BIMRIDE_SETTLEMENT_DELAY_MS: "1000" }, []);
  expect(limitsOf(settings)).toEqual({ ...DEFAULT_LIMITS, settleAfterMs: 1_000 });
});
