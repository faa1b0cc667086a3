import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { configDocument } from "../../config/config-doc.ts";
import { openDataFolder } from "../data-folder.ts";
import { runBimctl } from "./bimctl.ts";

const NOW_MS = 1_750_000_000_000;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bimride-bimctl-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function bimctl(argv: string[], env: Record<string, string> = {}) {
  const printed: string[] = [];
  const complained: string[] = [];
  const code = await runBimctl(argv, {
    env: { BIMRIDE_DATA_DIR: folder, ...env },
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    nowMs: () => NOW_MS,
  });
  return { code, out: printed.join("\n"), err: complained.join("\n") };
}

describe("usage", () => {
  test("is what help prints, with every command", async () => {
    const { code, out } = await bimctl(["help"]);
    expect(code).toBe(0);
    for (const name of ["keys", "token", "config", "doctor", "migrate"])
      expect(out).toContain(`\n  ${name} `);
  });

  test.each([
    [["frobnicate"], "no command"],
    [["toString"], "no command"],
    [["token", "--role", "king", "--sub", "a"], "--role"],
    [["token", "--role", "rider", "--sub", "a b"], "--sub"],
    [["token", "--role", "rider", "--sub", "a", "--ttl", "31d"], "--ttl"],
    [["token", "--role", "rider", "--sub", "a", "--colour", "red"], "--colour"],
    [["keys", "--alg", "RS256"], "--alg"],
    [["config"], "check, default or doc"],
    [["config", "doc", "more"], "takes nothing more"],
    [["config", "check", "--nope"], "--nope is no flag"],
    [["migrate", "--nope"], "--nope is no flag"],
    [["doctor", "--nope"], "--nope is no flag"],
    [["doctor", "stray"], "is no flag"],
    [["doctor", "--http-port", "x"], "--http-port must be"],
    [["roles", "all"], "takes nothing"],
    [
      ["rebuild", "--projection", "history", "--from", "1h", "--engines", "steam"],
      "--engines must be one of",
    ],
    [["resume", "--projection", "history", "--engines", "steam"], "--engines must be one of"],
  ])("%j is not understood, and the answer says why", async (argv, words) => {
    const { code, err } = await bimctl(argv);
    expect(code).toBe(2);
    expect(err).toContain(words);
  });

  test("problems with the settings end a command with all of them", async () => {
    const { code, err } = await bimctl(["keys"], { BIMRIDE_HTTP_PORT: "x", BIMRIDE_REGION: "!" });
    expect(code).toBe(1);
    expect(err).toMatch(/BIMRIDE_REGION[\s\S]*BIMRIDE_HTTP_PORT/);
  });
});

describe("keys and token", () => {
  test("keys makes a pair in the data folder and prints the setting for its public half", async () => {
    const { code, out } = await bimctl(["keys", "--alg", "ES256"]);
    expect(code).toBe(0);
    const path = out.replace(/^BIMRIDE_AUTH_JWKS_FILE=/, "");
    expect((await stat(path)).mode & 0o077).toBe(0);
    expect(path.startsWith(folder)).toBe(true);
  });

  test("token prints a token and nothing else, signed by these keys", async () => {
    await bimctl(["keys"]);
    const { code, out } = await bimctl(["token", "--role", "rider", "--sub", "r-1", "--ttl", "15m"]);
    expect(code).toBe(0);
    expect(decodeProtectedHeader(out).alg).toBe("EdDSA");
    const claims = decodeJwt(out);
    expect(claims).toMatchObject({ role: "rider", sub: "r-1", iss: "bimride", aud: "bimride" });
    expect(claims.exp).toBe(NOW_MS / 1_000 + 900);
  });
});

describe("config", () => {
  test("check names what was given and ends well", async () => {
    const { code, out } = await bimctl(["config", "check", "--http-port", "9000"]);
    expect(code).toBe(0);
    expect(out).toContain("http.port = 9000");
  });

  test("default prints an environment file, doc the settings' page", async () => {
    expect((await bimctl(["config", "default"])).out).toContain("BIMRIDE_HTTP_PORT=8080");
    expect((await bimctl(["config", "doc"])).out).toBe(configDocument().trimEnd());
  });
});

describe("doctor", () => {
  const lineOf = (out: string, words: string) => out.split("\n").find((line) => line.includes(words)) ?? "";

  test("finds a runtime, a data folder and free space", async () => {
    const { out } = await bimctl(["doctor"], {
      ...{ BIMRIDE_HTTP_PORT: "0", BIMRIDE_GRPC_PORT: "0", BIMRIDE_MQTT_PORT: "0" },
    });
    for (const words of ["Node ", "http.port: any", "data folder"])
      expect(lineOf(out, words)).toMatch(/^ok /);
  });

  test("says who holds the data folder, and fails", async () => {
    using _held = openDataFolder(folder, false);
    const { code, out } = await bimctl(["doctor"]);
    expect(code).toBe(1);
    expect(lineOf(out, "data folder")).toContain(`process ${process.pid}`);
  });

  test("a data folder that can't be is named, and fails", async () => {
    const { code, out } = await bimctl(["doctor", "--data", "/proc/bimride"]);
    expect(code).toBe(1);
    expect(lineOf(out, "data.dir")).toMatch(/^FAIL data\.dir: \/proc\/bimride can't be made/);
  });

  test("a taken port is a fault when it was set by hand", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    try {
      const { code, out } = await bimctl(["doctor", "--http-port", String(port)]);
      expect(code).toBe(1);
      expect(lineOf(out, "http.port")).toMatch(/^FAIL .*EADDRINUSE/);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test("a region file that a start would refuse is a fault", async () => {
    expect(lineOf((await bimctl(["doctor"])).out, "regions")).toBe("ok   regions: local");
    const { code, out } = await bimctl(["doctor"], { BIMRIDE_REGIONS_FILE: "/nowhere/regions.geojson" });
    expect(code).toBe(1);
    expect(lineOf(out, "regions.file")).toMatch(/^FAIL regions\.file: .*can't be read/);
  });

  test("a missing browser is a note, not a fault", async () => {
    const { out } = await bimctl(["doctor"], { PATH: folder });
    expect(lineOf(out, "browser")).toMatch(/^note /);
  });
});
