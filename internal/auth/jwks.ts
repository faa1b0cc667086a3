import { readFile, stat } from "node:fs/promises";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from "jose";
import { BimrideError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";

/** Finds the public key that a token names. Rejects with a jose error when there is none,
 *  with a BimrideError when keys can't be had. */
export type KeySource = JWTVerifyGetKey;

/** The file is looked at for a change at most this often. */
const RELOAD_CHECK_MS = 1_000;
/** A key set with more than this is refused: a lookup walks all keys. */
const MAX_KEYS = 100;
const MAX_FILE_BYTES = 1 << 20;

/**
 * Keys of a JWKS file, read again when its modification time or size changes. A changed file that can't be read or
 * parsed leaves the keys as they were until it can.
 * @throws STORE_UNAVAILABLE when the file can't be read at the start, with the reason as cause
 */
export async function jwksFile(path: string, clock: Clock): Promise<KeySource> {
  let { stamp, keys } = await readKeySet(path);
  let checkedAtMs = clock.monotonic();

  const refresh = async () => {
    checkedAtMs = clock.monotonic();
    try {
      if (stampOf(await stat(path)) !== stamp) ({ stamp, keys } = await readKeySet(path));
    } catch {
      // Half-written or gone for a moment: the old keys stay good, the next check tries again.
    }
  };
  return async (header, token) => {
    if (clock.monotonic() - checkedAtMs >= RELOAD_CHECK_MS) await refresh();
    return keys(header, token);
  };
}

/**
 * Keys of a JWKS URL, fetched at the first use, every 10 minutes, and (at most every 30 s) when a token names a key that
 * is not among them. A fetch takes at most 5 s; when it fails, tokens that need it get STORE_UNAVAILABLE.
 */
export function jwksUrl(url: URL): KeySource {
  const keys = createRemoteJWKSet(url, {
    cacheMaxAge: 600_000,
    cooldownDuration: 30_000,
    timeoutDuration: 5_000,
  });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JOSENotSupported) throw cause;
      throw new BimrideError("STORE_UNAVAILABLE", "Keys can't be had now.", { cause });
    }
  };
}

async function readKeySet(path: string): Promise<{ stamp: string; keys: KeySource }> {
  try {
    const stats = await stat(path);
    if (stats.size > MAX_FILE_BYTES) throw new RangeError("the JWKS file is larger than 1 MiB");
    const set = parseKeySet(await readFile(path, "utf8"));
    const keys = createLocalJWKSet(set);
    if (set.keys.length > MAX_KEYS) throw new RangeError(`the JWKS file has more than ${MAX_KEYS} keys`);
    return { stamp: stampOf(stats), keys };
  } catch (cause) {
    throw new BimrideError("STORE_UNAVAILABLE", "The key set can't be read.", { cause });
  }
}

/** Says nothing of the text: what lies there by mistake may be a secret. */
function parseKeySet(text: string): JSONWebKeySet {
  try {
    return JSON.parse(text);
  } catch {
    throw new TypeError("it is no JSON");
  }
}

function stampOf(stats: { mtimeMs: number; size: number }): string {
  return `${stats.mtimeMs}/${stats.size}`;
}
