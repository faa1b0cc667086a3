import { createHash } from "node:crypto";
import { errors, type JWTPayload, jwtVerify } from "jose";
import { BimrideError } from "../core/errors.ts";
import { ID_PATTERN } from "../core/ids.ts";
import type { Clock } from "../core/time.ts";
import type { KeySource } from "./jwks.ts";
import { type Authenticator, type Principal, ROLES, type Role } from "./principal.ts";
import { TokenCache } from "./token-cache.ts";

/** The only signatures taken: neither `none` nor shared secrets can ever pass. */
const ALGORITHMS = ["ES256", "EdDSA"];
/** Longer tokens are refused unread. */
const MAX_TOKEN_CHARS = 8_192;
/** Clocks of issuers may be this far ahead (`nbf`). `exp` is taken at its word. */
const CLOCK_TOLERANCE_S = 5;
/** The last time that a Date can hold. `exp` may have fractions and be as far off as the issuer likes; what is told on is whole and fits an int64. */
const MAX_TIME_MS = 8.64e15;
const MAX_CACHED_TOKENS = 20_000;
const MAX_CACHED_AGE_MS = 60_000;

/**
 * @property keys where public keys come from, see jwksFile and jwksUrl
 * @property issuer the `iss` that tokens must have
 * @property audience the `aud` that tokens must have
 */
export type JwtOptions = { keys: KeySource; issuer: string; audience: string; clock: Clock };

/**
 * Verifies JSON Web Tokens signed with ES256 or EdDSA, with claims `iss`, `aud`, `sub`, `role` and `exp`, and `sid` or
 * `jti` to name the sign-in. A verified
 * token is remembered for up to a minute, never past its expiry.
 */
export function jwtAuthenticator(options: JwtOptions): Authenticator {
  const cache = new TokenCache(MAX_CACHED_TOKENS, MAX_CACHED_AGE_MS);
  return {
    async authenticate(token) {
      if (!token) throw new BimrideError("TOKEN_MISSING");
      if (token.length > MAX_TOKEN_CHARS) throw new BimrideError("TOKEN_INVALID");
      const known = cache.get(token, options.clock.now());
      if (known) return known;
      const principal = await verify(token, options);
      cache.put(token, principal, options.clock.now());
      return principal;
    },
  };
}

async function verify(token: string, { keys, issuer, audience, clock }: JwtOptions): Promise<Principal> {
  const nowMs = clock.now();
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      issuer,
      audience,
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(nowMs),
      requiredClaims: ["exp", "sub", "role"],
    });
    const expiresAtMs = Math.min(Math.floor((payload.exp ?? 0) * 1_000), MAX_TIME_MS);
    if (expiresAtMs <= nowMs) throw new BimrideError("TOKEN_EXPIRED");
    return {
      role: roleOf(payload.role),
      subject: subjectOf(payload.sub, payload.role),
      signInId: signInOf(payload, token),
      expiresAtMs,
    };
  } catch (cause) {
    if (cause instanceof BimrideError) throw cause;
    if (cause instanceof errors.JWTExpired) throw new BimrideError("TOKEN_EXPIRED");
    throw new BimrideError("TOKEN_INVALID", undefined, { cause });
  }
}

function roleOf(claim: unknown): Role {
  const role = ROLES.find((candidate) => candidate === claim);
  if (!role) throw new BimrideError("TOKEN_INVALID");
  return role;
}

/** Parties' subjects are party ids; others' are whatever the issuer uses, up to 256 characters. */
function subjectOf(claim: string | undefined, role: unknown): string {
  const isParty = role === "driver" || role === "rider";
  if (!claim || claim.length > 256 || (isParty && !ID_PATTERN.test(claim)))
    throw new BimrideError("TOKEN_INVALID");
  return claim;
}

/** The claim `sid`, else `jti`, else the token itself; what is no id of ours is named by its hash. */
function signInOf({ sid, jti }: JWTPayload, token: string): string {
  const name = [sid, jti].find((claim) => typeof claim === "string" && claim !== "") ?? token;
  return ID_PATTERN.test(String(name))
    ? String(name)
    : createHash("sha256").update(String(name)).digest("base64url");
}

/** The token of an `Authorization: Bearer …` header; undefined when there is none. */
export function bearerToken(header: string | null | undefined): string | undefined {
  return /^Bearer +([^\s]+)$/i.exec(header ?? "")?.[1];
}
