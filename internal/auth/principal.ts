/** Roles that a token may carry. */
export const ROLES = ["driver", "rider", "backend", "support", "ops", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Who calls, as a verified token says. */
export type Principal = {
  role: Role;
  /** The user's id (JWT `sub`); for drivers and riders also their party id. */
  subject: string;
  /** The sign-in that the token came from: the same for its refreshed tokens, where the issuer says so. At most 64 characters, no secret. */
  signInId: string;
  /** When the token expires, milliseconds since 1970. */
  expiresAtMs: number;
};

/** Role and id as one text; of drivers and riders the same as their party's key. */
export function userKeyOf({ role, subject }: Pick<Principal, "role" | "subject">): string {
  return `${role}/${subject}`;
}

/** Turns a bearer token into a principal. */
export interface Authenticator {
  /** Throws TOKEN_MISSING, TOKEN_INVALID or TOKEN_EXPIRED; SESSION_REVOKED where revocations are looked at. */
  authenticate(token: string | undefined): Promise<Principal>;
}
