import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../core/time.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { jwksFile, jwksUrl } from "./jwks.ts";
import { bearerToken, jwtAuthenticator } from "./jwt.ts";
import { jwksPathOf, makeKeyFiles, openSigningKey, type SigningKey } from "./keys.ts";
import { tokenMint } from "./mint.ts";
import type { Authenticator } from "./principal.ts";
import { TokenCache } from "./token-cache.ts";

const START_MS = 1_700_000_000_000;
let folder: string;
let key: SigningKey;
let clock: VirtualClock;
let authenticator: Authenticator;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bimride-auth-"));
  key = await makeKeyFiles(folder);
  clock = new VirtualClock(START_MS);
  const keys = await jwksFile(jwksPathOf(folder), clock);
  authenticator = jwtAuthenticator({ keys, issuer: "bimride", audience: "riders", clock });
});
afterAll(() => rm(folder, { recursive: true }));

const mint = (signer = key) => tokenMint(signer, "bimride", "riders", () => clock.now());
const codeOf = (token: string | undefined, by = authenticator) =>
  by.authenticate(token).then(
    () => "OK",
    (error) => error.code,
  );

/** A token that says what the test wants. */
function custom(claims: Record<string, unknown>, header: object = {}, signer = key.key): Promise<string> {
  const now = Math.floor(clock.now() / 1_000);
  const all = { iss: "bimride", aud: "riders", sub: "r1", role: "rider", exp: now + 60, ...claims };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new SignJWT(given).setProtectedHeader({ alg: "EdDSA", kid: key.keyId, ...header }).sign(signer);
}

describe("jwtAuthenticator", () => {
  it("takes a minted token and says who calls until when", async () => {
    const { token, expiresAtMs } = await mint()({ role: "rider", subject: "r1", ttlMs: 60_000 });
    expect(await authenticator.authenticate(token)).toEqual({
      ...{ role: "rider", subject: "r1", expiresAtMs },
      signInId: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
    });
    expect(expiresAtMs).toBe(START_MS + 60_000);
  });

  it("names the sign-in by sid, else jti, else the token, and never shows a token or an odd claim", async () => {
    const signInOf = async (claims: object) =>
      (await authenticator.authenticate(await custom({ ...claims }))).signInId;
    expect(await signInOf({ sid: "in-1", jti: "t-1" })).toBe("in-1");
    expect(await signInOf({ sid: "", jti: "t-1" })).toBe("t-1");
    expect(await signInOf({ sid: 7, jti: "t-1" })).toBe("t-1");
    const hash = /^[A-Za-z0-9_-]{43}$/;
    expect(await signInOf({ sid: "in 1" })).toMatch(hash);
    expect(await signInOf({ sid: "in 1" })).toBe(await signInOf({ sid: "in 1", jti: "t-1" }));
    const [one, other] = [await custom({}), await custom({ nbf: START_MS / 1_000 })];
    const ids = await Promise.all([one, other].map((token) => authenticator.authenticate(token)));
    expect(new Set(ids.map(({ signInId }) => signInId)).size).toBe(2);
    for (const { signInId } of ids) expect(signInId).toMatch(hash);
  });

  it("knows a fresh token of the same sign-in, and tells one of another", async () => {
    const request = { role: "rider", subject: "r1", ttlMs: 60_000 } as const;
    const first = await authenticator.authenticate((await mint()(request)).token);
    const { signInId } = first;
    const next = await authenticator.authenticate((await mint()({ ...request, signInId })).token);
    expect(next.signInId).toBe(signInId);
    expect((await authenticator.authenticate((await mint()(request)).token)).signInId).not.toBe(signInId);
  });

  it("counts an expiry with fractions or in the far future in whole milliseconds that fit an int64", async () => {
    const seconds = START_MS / 1_000 + 60;
    const until = async (exp: number) =>
      (await authenticator.authenticate(await custom({ exp }))).expiresAtMs;
    expect(await until(seconds + 0.1234567)).toBe(START_MS + 60_123);
    for (const exp of [9e15, 1e300]) expect(await until(exp)).toBe(8.64e15);
  });

  it("takes ES256 as well", async () => {
    const other = join(folder, "es256");
    const signer = await makeKeyFiles(other, "ES256");
    const keys = await jwksFile(jwksPathOf(other), clock);
    const by = jwtAuthenticator({ keys, issuer: "bimride", audience: "riders", clock });
    const { token } = await mint(signer)({ role: "ops", subject: "o@example.org", ttlMs: 60_000 });
    expect((await by.authenticate(token)).role).toBe("ops");
    expect(await codeOf(token)).toBe("TOKEN_INVALID");
  });

  it("names what is wrong: missing, expired, everything else invalid", async () => {
    expect(await codeOf(undefined)).toBe("TOKEN_MISSING");
    expect(await codeOf("")).toBe("TOKEN_MISSING");
    expect(await codeOf(await custom({ exp: START_MS / 1_000 - 1 }))).toBe("TOKEN_EXPIRED");
    expect(await codeOf(await custom({ exp: START_MS / 1_000 }))).toBe("TOKEN_EXPIRED");
    for (const claims of [
      { exp: undefined },
      { sub: undefined },
      { role: undefined },
      { role: "king" },
      { role: ["rider"] },
      { sub: "a/b" },
      { iss: "other" },
      { aud: "other" },
      { nbf: START_MS / 1_000 + 60 },
    ]) {
      expect([claims, await codeOf(await custom(claims))]).toEqual([claims, "TOKEN_INVALID"]);
    }
    expect(await codeOf(`x${"y".repeat(10_000)}`)).toBe("TOKEN_INVALID");
  });

  it("refuses unsigned tokens, shared secrets, foreign keys and changed claims", async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { iss: "bimride", aud: "riders", sub: "r1", role: "admin", exp: START_MS };
    expect(await codeOf(`${part({ alg: "none" })}.${part(claims)}.`)).toBe("TOKEN_INVALID");
    const secret = new TextEncoder().encode(await readFile(jwksPathOf(folder), "utf8"));
    const hs256 = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: key.keyId }).sign(secret);
    expect(await codeOf(hs256)).toBe("TOKEN_INVALID");
    const foreign = await makeKeyFiles(join(folder, "foreign"));
    expect(await codeOf(await custom({}, {}, foreign.key))).toBe("TOKEN_INVALID");
    const [header, , signature] = (await custom({})).split(".");
    expect(await codeOf(`${header}.${part(claims)}.${signature}`)).toBe("TOKEN_INVALID");
  });

  it("calls any garbage invalid", async () => {
    const good = await custom({});
    const mutated = fc
      .tuple(fc.nat(good.length - 10), fc.base64String({ minLength: 1, maxLength: 4 }))
      .map(([at, put]) => {
        const changed = good.slice(0, at) + put + good.slice(at + put.length);
        return changed === good ? `${changed}x` : changed;
      });
    const anything = fc.oneof(fc.string({ minLength: 1 }), fc.base64String({ minLength: 1 }));
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, anything), async (token) => {
        expect(["TOKEN_INVALID"]).toContain(await codeOf(token));
      }),
      { numRuns: 300 },
    );
  });

  it("never lets a remembered token live past its expiry", async () => {
    const { token } = await mint()({ role: "rider", subject: "r1", ttlMs: 30_000 });
    expect(await codeOf(token)).toBe("OK");
    clock.advanceTo(clock.now() + 29_999);
    expect(await codeOf(token)).toBe("OK");
    clock.advanceTo(clock.now() + 1);
    expect(await codeOf(token)).toBe("TOKEN_EXPIRED");
  });

  it("notices within a minute that the key file was replaced, and keeps the old keys while it is damaged", async () => {
    const own = join(folder, "rotating");
    const first = await makeKeyFiles(own);
    const keys = await jwksFile(jwksPathOf(own), clock);
    const by = jwtAuthenticator({ keys, issuer: "bimride", audience: "riders", clock });
    const old = await mint(first)({ role: "rider", subject: "r1", ttlMs: 600_000 });
    expect(await codeOf(old.token, by)).toBe("OK");

    await writeFile(jwksPathOf(own), "{ half");
    clock.advanceTo(clock.now() + 61_000);
    expect(await codeOf(old.token, by)).toBe("OK");

    const second = await makeKeyFiles(own);
    clock.advanceTo(clock.now() + 61_000);
    const fresh = await mint(second)({ role: "rider", subject: "r1", ttlMs: 600_000 });
    expect(await codeOf(fresh.token, by)).toBe("OK");
    expect(await codeOf(old.token, by)).toBe("TOKEN_INVALID");
  });

  it("fetches keys from a URL and says STORE_UNAVAILABLE when it can't", async () => {
    let status = 500;
    const server = createServer(async (_request, response) => {
      response.statusCode = status;
      response.end(await readFile(jwksPathOf(folder)));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`);
    const by = jwtAuthenticator({
      keys: jwksUrl(url),
      issuer: "bimride",
      audience: "riders",
      clock: systemClock,
    });
    const token = await custom({ exp: Math.floor(Date.now() / 1_000) + 60 });
    expect(await codeOf(token, by)).toBe("STORE_UNAVAILABLE");
    status = 200;
    expect(await codeOf(token, by)).toBe("OK");
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await codeOf(token, by)).toBe("OK");
  });
});

describe("key files", () => {
  it("are readable by their owner alone and open again as the same key", async () => {
    for (const name of ["signing-key.json", "jwks.json"]) {
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    }
    expect((await openSigningKey(folder)).keyId).toBe(key.keyId);
    expect(await readFile(jwksPathOf(folder), "utf8")).not.toContain('"d"');
  });

  it("are made when they are missing, and a damaged one is not silently replaced", async () => {
    const fresh = join(folder, "fresh");
    const made = await openSigningKey(fresh);
    expect((await openSigningKey(fresh)).keyId).toBe(made.keyId);
    await writeFile(join(fresh, "signing-key.json"), "{}");
    await expect(openSigningKey(fresh)).rejects.toThrow();
  });
});

describe("TokenCache", () => {
  it("keeps to its bound and drops the longest unused first", () => {
    const cache = new TokenCache(2, 60_000);
    const principal = { role: "rider", subject: "r", signInId: "in-1", expiresAtMs: 1_000 } as const;
    cache.put("a", principal, 0);
    cache.put("b", principal, 0);
    expect(cache.get("a", 1)).toBe(principal);
    cache.put("c", principal, 1);
    expect(cache.size).toBe(2);
    expect(cache.get("b", 1)).toBeUndefined();
    expect(cache.get("a", 999)).toBe(principal);
    expect(cache.get("a", 1_000)).toBeUndefined();
  });
});

describe("bearerToken", () => {
  it("reads the token of a bearer header and nothing else", () => {
    expect(bearerToken("Bearer abc.def")).toBe("abc.def");
    expect(bearerToken("bearer  abc")).toBe("abc");
    for (const header of [undefined, null, "", "Basic abc", "Bearer", "Bearer a b"]) {
      expect(bearerToken(header)).toBeUndefined();
    }
  });
});
