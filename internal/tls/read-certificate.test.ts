import { generateKeyPairSync } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { testCertificate } from "../../test/kit/development-tls.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { readCertificate } from "./read-certificate.ts";

const YEAR_MS = 365 * 86_400_000;

/** A private key as `openssl genpkey` writes it, with a password where one is given. */
function privateKey(passphrase?: string): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const locked = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  return String(privateKey.export({ type: "pkcs8", format: "pem", ...locked }));
}

test("a certificate and its key are read as they stand", async () => {
  await using folder = await tempFolder();
  const files = await testCertificate(folder);
  const issued = await files.renew();
  const read = await readCertificate(files, Date.now());
  expect(read).toMatchObject(issued);
  expect(read.leaf.checkHost("localhost")).toBe("localhost");
});

test("what can't be used is told in one line that names the setting", async () => {
  await using folder = await tempFolder();
  const files = await testCertificate(folder);
  const [text, other, locked] = [folder.file("text"), folder.file("other.pem"), folder.file("locked.pem")];
  await writeFile(text, "a secret\nin two lines");
  await writeFile(other, privateKey());
  await writeFile(locked, privateKey("only for this test"));
  const problem = (different: object, nowMs = Date.now()) =>
    readCertificate({ ...files, ...different }, nowMs).then(
      () => "none",
      (error: Error) => `${error.name} ${error.message}`,
    );
  expect(await problem({ certFile: folder.file("none") })).toMatch(
    /^EngineError tls\.cert_file: \S+none can't be read \(ENOENT\)$/,
  );
  expect(await problem({ keyFile: folder.path })).toMatch(
    /^EngineError tls\.key_file: .* can't be read \(EISDIR\)$/,
  );
  expect(await problem({ certFile: text })).toMatch(
    /^EngineError tls\.cert_file: .* holds no certificate in PEM$/,
  );
  for (const keyFile of [text, locked, files.certFile])
    expect(await problem({ keyFile })).toMatch(
      /^EngineError tls\.key_file: .* holds no private key in PEM without a password$/,
    );
  expect(await problem({ keyFile: other })).toMatch(
    /^EngineError tls\.key_file: .*other\.pem is not the key of the certificate in .*served\.pem$/,
  );
  expect(await problem({}, Date.now() + YEAR_MS + 60_000)).toMatch(
    /^EngineError tls\.cert_file: .* expired on \d{4}-\d\d-\d\d$/,
  );
  expect(await problem({}, Date.now() - YEAR_MS)).toMatch(
    /^EngineError tls\.cert_file: .* is not valid before \d{4}-\d\d-\d\d$/,
  );
});
