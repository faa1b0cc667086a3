import { randomBytes } from "node:crypto";
import { SignJWT } from "jose";
import type { SigningKey } from "./keys.ts";
import type { Role } from "./principal.ts";

/**
 * What a token is to say. `ttlMs` is at least 1,000 (a token's times are whole seconds, rounded down). `signInId` is that of
 * the token which this one follows; a new sign-in without it.
 */
export type TokenRequest = { role: Role; subject: string; ttlMs: number; signInId?: string };

/** Mints tokens for development and demo mode; a production issuer is somebody else's. */
export type TokenMint = (request: TokenRequest) => Promise<{ token: string; expiresAtMs: number }>;

/** @param nowMs wall clock, milliseconds since 1970 */
export function tokenMint(
  key: SigningKey,
  issuer: string,
  audience: string,
  nowMs: () => number,
  newSignInId = () => randomBytes(16).toString("base64url"),
): TokenMint {
  return async ({ role, subject, ttlMs, signInId = newSignInId() }) => {
    const issuedAtS = Math.floor(nowMs() / 1_000);
    const expiresAtS = Math.floor((nowMs() + ttlMs) / 1_000);
    const token = await new SignJWT({ role, sid: signInId })
      .setProtectedHeader({ alg: key.algorithm, kid: key.keyId, typ: "JWT" })
      .setIssuer(issuer)
      .setAudience(audience)
      .setSubject(subject)
      .setIssuedAt(issuedAtS)
      .setExpirationTime(expiresAtS)
      .sign(key.key);
    return { token, expiresAtMs: expiresAtS * 1_000 };
  };
}
