/** Whom a token names. Nothing is verified: that is the server's, this only decides what a page offers. */
export type TokenParty = { role: string; subject: string };

/** Undefined when the token is no JWT, or says nothing of it. */
export function tokenParty(token: string): TokenParty | undefined {
  const payload = token.split(".")[1];
  if (!payload) return undefined;
  try {
    const claims: unknown = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    if (typeof claims !== "object" || claims === null) return undefined;
    const { role, sub } = claims as { role?: unknown; sub?: unknown };
    return typeof role === "string" && typeof sub === "string" ? { role, subject: sub } : undefined;
  } catch {
    // An opaque token is fine: the page then offers what anybody may do.
    return undefined;
  }
}
