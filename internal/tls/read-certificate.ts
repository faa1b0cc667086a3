import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { EngineError } from "../core/engine-error.ts";

/** A certificate with its key, checked against each other. */
export type CertificateAndKey = {
  /** PEM, the intermediate certificates with it. */
  cert: string;
  /** PEM. */
  key: string;
  /** The server's own certificate, the first in the file. */
  leaf: X509Certificate;
};

/** The files that the settings name. */
export type CertificateFiles = { certFile: string; keyFile: string };

const CERT_SETTING = "tls.cert_file";
const KEY_SETTING = "tls.key_file";

/**
 * Reads certificate and key. Rejects with an EngineError, one line long, that names the setting: a file that can't be read
 * or holds something else, a key of another certificate, a certificate that is not valid now.
 * @param nowMs wall clock, milliseconds since 1970
 */
export async function readCertificate(
  { certFile, keyFile }: CertificateFiles,
  nowMs: number,
): Promise<CertificateAndKey> {
  const cert = await text(CERT_SETTING, certFile);
  const key = await text(KEY_SETTING, keyFile);
  const leaf = certificateOf(cert, certFile);
  if (!leaf.checkPrivateKey(keyOf(key, keyFile)))
    throw new EngineError(KEY_SETTING, `${keyFile} is not the key of the certificate in ${certFile}`);
  const [fromMs, toMs] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
  if (nowMs >= toMs) throw new EngineError(CERT_SETTING, `${certFile} expired on ${dayOf(toMs)}`);
  if (nowMs < fromMs) throw new EngineError(CERT_SETTING, `${certFile} is not valid before ${dayOf(fromMs)}`);
  try {
    createSecureContext({ cert, key });
  } catch (cause) {
    // Whatever else TLS minds, such as a key that is too short.
    throw new EngineError(CERT_SETTING, `${certFile} can't be used: ${(cause as Error).message}`, { cause });
  }
  return { cert, key, leaf };
}

async function text(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new EngineError(setting, `${path} can't be read (${code})`, { cause });
  }
}

function certificateOf(cert: string, path: string): X509Certificate {
  try {
    return new X509Certificate(cert);
  } catch (cause) {
    throw new EngineError(CERT_SETTING, `${path} holds no certificate in PEM`, { cause });
  }
}

/** The cause is left out: it might quote the key. */
function keyOf(key: string, path: string): KeyObject {
  try {
    return createPrivateKey(key);
  } catch {
    throw new EngineError(KEY_SETTING, `${path} holds no private key in PEM without a password`);
  }
}

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}
