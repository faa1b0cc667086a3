import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from "jose";

export const KEY_ALGORITHMS = ["EdDSA", "ES256"] as const;
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

/** A private key to sign tokens with. */
export type SigningKey = { algorithm: KeyAlgorithm; keyId: string; key: CryptoKey };

const PRIVATE_FILE = "signing-key.json";
const PUBLIC_FILE = "jwks.json";

/** Where {@link makeKeyFiles} puts the public keys: what the setting auth.jwks_file wants. */
export function jwksPathOf(folder: string): string {
  return join(folder, PUBLIC_FILE);
}

/**
 * Makes a key pair for development in the folder (made when it is missing): `signing-key.json`, the private key, and
 * `jwks.json`, the set of public keys, both readable by their owner alone. Replaces the pair that is there.
 */
export async function makeKeyFiles(folder: string, algorithm: KeyAlgorithm = "EdDSA"): Promise<SigningKey> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const keyId = (await calculateJwkThumbprint(publicJwk)).slice(0, 12);
  const described = { kid: keyId, alg: algorithm, use: "sig" };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writePrivately(join(folder, PRIVATE_FILE), { ...(await exportJWK(pair.privateKey)), ...described });
  await writePrivately(join(folder, PUBLIC_FILE), { keys: [{ ...publicJwk, ...described }] });
  return { algorithm, keyId, key: pair.privateKey };
}

/** The signing key of the folder, made when there is none. Throws when its file is damaged. */
export async function openSigningKey(folder: string): Promise<SigningKey> {
  let text: string;
  try {
    text = await readFile(join(folder, PRIVATE_FILE), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return makeKeyFiles(folder);
  }
  const signingKey = await parseSigningKey(text).catch(() => undefined); // the error would quote the key
  if (!signingKey)
    throw new TypeError(`${PRIVATE_FILE} is no private key for ES256 or EdDSA: delete it to get a new pair`);
  return signingKey;
}

async function parseSigningKey(text: string): Promise<SigningKey | undefined> {
  const jwk: JWK = JSON.parse(text);
  const algorithm = KEY_ALGORITHMS.find((candidate) => candidate === jwk.alg);
  const key = await importJWK(jwk, jwk.alg);
  if (!algorithm || !jwk.kid || key instanceof Uint8Array) return undefined;
  return { algorithm, keyId: jwk.kid, key };
}

/** Written beside and moved into place, so that a reader never sees half of it. */
async function writePrivately(path: string, content: object): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await chmod(temporary, 0o600);
  await rename(temporary, path);
}
