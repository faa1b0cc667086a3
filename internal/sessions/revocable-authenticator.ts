import { type Authenticator, type Principal, userKeyOf } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import type { Revocations, SignedIn } from "./revocations.ts";

/** The sign-in behind a principal; with the publishing session, where it has one. */
export function signedInOf(principal: Principal, sessionId = ""): SignedIn {
  return { user: userKeyOf(principal), signInId: principal.signInId, sessionId };
}

/** Throws SESSION_REVOKED when the sign-in or the session is let in no more. */
export function checkRevoked(
  revocations: Pick<Revocations, "isRevoked">,
  principal: Principal,
  sessionId = "",
): void {
  if (revocations.isRevoked(signedInOf(principal, sessionId))) throw new BimrideError("SESSION_REVOKED");
}

/** Lets nobody in whose sign-in was revoked: throws SESSION_REVOKED then, however good the token is. */
export function revocableAuthenticator(
  authenticator: Authenticator,
  revocations: Pick<Revocations, "isRevoked">,
): Authenticator {
  return {
    async authenticate(token) {
      const principal = await authenticator.authenticate(token);
      checkRevoked(revocations, principal);
      return principal;
    },
  };
}
