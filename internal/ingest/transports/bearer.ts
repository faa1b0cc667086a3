const BEARER = /^bearer +([A-Za-z0-9._~+/=-]+) *$/i;

/** The token of an `Authorization: Bearer …` value; undefined when there is none (the authenticator says TOKEN_MISSING). */
export function bearerTokenOf(header: unknown): string | undefined {
  return typeof header === "string" ? BEARER.exec(header)?.[1] : undefined;
}
