import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { loadSettings } from "../../config/settings.ts";
import { readCertificate } from "../../tls/read-certificate.ts";
import { runBimctl } from "./bimctl.ts";

async function bimctl(argv: string[], dataDir: string) {
  const [printed, complained]: [string[], string[]] = [[], []];
  const code = await runBimctl(argv, {
    env: { BIMRIDE_DATA_DIR: dataDir },
    print: (line) => printed.push(line),
    complain: (line) => complained.push(line),
    nowMs: () => Date.now(),
  });
  return { code, printed, err: complained.join("\n") };
}

/** What a shell would have set after the printed lines. */
function environmentOf(printed: readonly string[]): Record<string, string> {
  const assignments = printed.filter((line) => !line.startsWith("#"));
  return Object.fromEntries(
    assignments.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

test("certs prints settings that a start takes, and what is to be trusted how", async () => {
  await using folder = await tempFolder();
  const { code, printed } = await bimctl(["certs", "--host", "Track.Example.com"], folder.path);
  expect(code).toBe(0);
  const { tlsCertFile: certFile, tlsKeyFile: keyFile } = loadSettings(environmentOf(printed), []);
  expect(certFile).toBe(folder.file("tls/cert.pem"));
  const { leaf } = await readCertificate({ certFile, keyFile }, Date.now());
  expect(leaf.checkHost("track.example.com")).toBe("track.example.com");
  const text = printed.join("\n");
  expect(text).toMatch(/CA .*ca\.pem: made, SHA-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}/);
  for (const kind of ["iPhone", "Android", "desktop"]) expect(text).toContain(kind);
});

test("certs keeps what is there, in the folder that is named", async () => {
  await using folder = await tempFolder();
  const out = folder.file("some/where");
  await bimctl(["certs", "--out", out], folder.path);
  const before = readFileSync(`${out}/cert.pem`, "utf8");
  const { printed } = await bimctl(["certs", "--out", out], folder.path);
  expect(printed.join("\n")).toMatch(/CA .*: kept,.*\n# certificate: kept/);
  expect(readFileSync(`${out}/cert.pem`, "utf8")).toBe(before);
});

test.each([["a b"], ["*.example.com"], ["10.0.0.300"], ["https://example.com"]])(
  "certs takes no host %j",
  async (host) => {
    await using folder = await tempFolder();
    const { code, err } = await bimctl(["certs", "--host", host], folder.path);
    expect(code).toBe(2);
    expect(err).toContain(`--host takes a host name or an address, not ${JSON.stringify(host)}`);
  },
);

test("certs says why its folder can't be made", async () => {
  await using folder = await tempFolder();
  await writeFile(folder.file("file"), "");
  const { code, err } = await bimctl(["certs", "--out", folder.file("file/tls")], folder.path);
  expect([code, err]).toEqual([1, expect.stringContaining("can't be made")]);
});

test("doctor tells a certificate that a start would refuse", async () => {
  await using folder = await tempFolder();
  const { printed } = await bimctl(["certs"], folder.path);
  const env = environmentOf(printed);
  const doctor = async () => {
    const lines: string[] = [];
    const context = {
      print: (line: string) => lines.push(line),
      complain: () => {},
      nowMs: () => Date.now(),
    };
    await runBimctl(["doctor"], { ...context, env: { ...env, BIMRIDE_DATA_DIR: folder.path } });
    return lines.join("\n");
  };
  expect(await doctor()).toMatch(/^ok {3}certificate .* is valid until /m);
  await writeFile(env.BIMRIDE_TLS_KEY_FILE!, "damaged");
  expect(await doctor()).toMatch(/^FAIL tls\.key_file: /m);
});
