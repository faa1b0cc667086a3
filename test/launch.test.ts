import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { symlink, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { testCertificate } from "./kit/development-tls.ts";
import { selfSigned } from "./kit/self-signed.ts";
import { tempFolder } from "./kit/temp-folder.ts";

const LAUNCHER = fileURLToPath(new URL("../cmd/launch.js", import.meta.url));
const OLD_NODE = `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.19.0"}})`;

function run(args: string[], more = {}): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...more };
    execFile(process.execPath, args, { env }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

test("an old Node is told in one line what is needed and how to start", async () => {
  const { code, err } = await run(["--import", OLD_NODE, LAUNCHER, "bimctl", "help"]);
  expect(code).toBe(1);
  expect(err.trim().split("\n")).toHaveLength(1);
  expect(err).toMatch(/needs Node 24 or newer.*npm start/);
});

test("a command that is not on the list is refused with the list", async () => {
  const { code, err } = await run([LAUNCHER, "../secret"]);
  expect(code).toBe(2);
  expect(err).toContain("bimride|gateway|processor|edge|bimctl|drive");
});

test("a command gets its arguments and its exit code gets out", async () => {
  const help = await run([LAUNCHER, "bimctl", "help"]);
  expect(help).toMatchObject({ code: 0, err: "" });
  expect(help.out).toContain("token --role");
  expect(await run([LAUNCHER, "bimctl", "frobnicate"])).toMatchObject({ code: 2, out: "" });
});

test("as a linked program the name it is called by is the command", async () => {
  await using folder = await tempFolder();
  await symlink(LAUNCHER, folder.file("bimctl"));
  expect((await run([folder.file("bimctl"), "help"])).out).toContain("token --role");
});

test.each([
  ["bimride", "everything in one process"],
  ["gateway", "takes drivers' positions in"],
  ["processor", "turns a region's log into live state"],
  ["edge", "shows trips to those who may see them"],
])("%s --help prints how it is used and starts nothing", async (role, does) => {
  const { code, out, err } = await run([LAUNCHER, role, "--help"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain(does);
  expect(out).toContain("--http-port N");
});

describe("a start that is refused", () => {
  test("for a setting is told in one line that names it, with exit code 1", async () => {
    const { code, err } = await run([LAUNCHER, "edge"], { BIMRIDE_HTTP_PORT: "x" });
    expect(code).toBe(1);
    expect(err).toMatch(/^BIMRIDE_HTTP_PORT must be .*\n$/);
  });

  test("for a key set that can't be read, likewise", async () => {
    const { code, err } = await run([LAUNCHER, "edge"], { BIMRIDE_AUTH_JWKS_FILE: "/nowhere/keys.json" });
    expect(code).toBe(1);
    expect(err).toMatch(/^auth\.jwks_file \/nowhere\/keys\.json can't be read.*\n$/);
  });

  test.each([
    ["bimride"],
    ["gateway"],
    ["processor"],
    ["edge"],
    ["bimctl", "migrate"],
    ["bimctl", "resume", "--projection", "live", "--engines", "real"],
    ["bimctl", "rebuild", "--projection", "history", "--from", "1h", "--engines", "real"],
    ["bimctl", "regions", "check"],
  ])("for its region file, likewise: %s %s", async (...command) => {
    await using folder = await tempFolder();
    const path = folder.file("regions.geojson");
    await writeFile(path, "{\n regions");
    const more = { BIMRIDE_REGIONS_FILE: path, BIMRIDE_DATA_DIR: folder.file("data") };
    const { code, out, err } = await run([LAUNCHER, ...command], more);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/^regions\.file: .*\/regions\.geojson: not JSON: .*\n$/);
  });

  test("for a key set that is none, without a word of what is in it", async () => {
    await using folder = await tempFolder();
    await writeFile(folder.file("keys.json"), "a secret\nin two lines");
    const env = { BIMRIDE_AUTH_JWKS_FILE: folder.file("keys.json") };
    const { code, err } = await run([LAUNCHER, "edge"], env);
    expect(code).toBe(1);
    expect(err).toMatch(/^auth\.jwks_file \S+ can't be read: it is no JSON\n$/);
  });

  test("for a signing key that is none, likewise", async () => {
    await using folder = await tempFolder();
    for (const name of ["jwks.json", "signing-key.json"])
      await writeFile(folder.file(name), "a secret\nin two lines");
    const env = { BIMRIDE_AUTH_KEY_FOLDER: folder.path };
    const { code, err } = await run([LAUNCHER, "edge"], env);
    expect(code).toBe(1);
    expect(err).toMatch(/^auth\.key_folder \S+ can't be read: signing-key\.json is no private key .*\n$/);
  });

  test.each(["/proc/bimride", LAUNCHER])("for a data folder that can't be (%s), likewise", async (path) => {
    for (const role of ["bimride", "gateway"]) {
      const { code, err } = await run([LAUNCHER, role, "--data", path]);
      expect(code).toBe(1);
      expect(err).toMatch(/^data\.dir: \S+ .*\n$/);
    }
  });

  test("for its certificate, likewise, with nothing made", async () => {
    await using folder = await tempFolder();
    const { certificate } = await selfSigned(folder);
    const other = await testCertificate(folder);
    const refused = async (role: string, more: Record<string, string>) => {
      const env = { BIMRIDE_DATA_DIR: folder.file("data"), BIMRIDE_TLS_CERT_FILE: certificate, ...more };
      const { code, out, err } = await run([LAUNCHER, role], env);
      expect([code, out, existsSync(folder.file("data"))]).toEqual([1, "", false]);
      return err;
    };
    const missing = { BIMRIDE_TLS_KEY_FILE: folder.file("none") };
    for (const role of ["bimride", "processor"])
      expect(await refused(role, missing)).toMatch(/^tls\.key_file: \S+none can't be read \(ENOENT\)\n$/);
    expect(await refused("edge", {})).toMatch(/^tls\.cert_file and tls\.key_file are set together.*\n$/);
    await other.renew(Date.now() - 400 * 86_400_000);
    const expired = { BIMRIDE_TLS_CERT_FILE: other.certFile, BIMRIDE_TLS_KEY_FILE: other.keyFile };
    expect(await refused("bimride", expired)).toMatch(/^tls\.cert_file: .* expired on .*\n$/);
  });

  test("for its command line is told likewise, with exit code 2", async () => {
    const { code, err } = await run([LAUNCHER, "bimride", "--nope"]);
    expect(code).toBe(2);
    expect(err).toMatch(/^--nope is no flag of this command.*\n$/);
  });
});
