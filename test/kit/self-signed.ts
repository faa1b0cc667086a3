import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { TempFolder } from "./temp-folder.ts";

const run = promisify(execFile);

/** Makes a certificate for localhost and 127.0.0.1 that is its own authority; the key has no password. */
export async function selfSigned(folder: TempFolder) {
  const [certificate, key] = [folder.file("cert.pem"), folder.file("key.pem")];
  const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bimride-test"];
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  await run("openssl", [...made, ...names, "-keyout", key, "-out", certificate]);
  return {
    /** The files of certificate and key. */
    certificate,
    key,
    /** What to trust, PEM. */
    ca: await readFile(certificate, "utf8"),
  };
}
