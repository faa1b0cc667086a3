/** Who is on the other end of a call or stream, as far as revocations go. */
export type SignedIn = {
  /** The user's role and subject, `driver/ID`. */
  readonly user: string;
  /** The sign-in behind the token. */
  readonly signInId: string;
  /** The publishing session; empty for none. */
  readonly sessionId: string;
};

/** Nobody of this user gets in any more with this sign-in or as this session. Either may be empty, not both. */
export type Revocation = SignedIn & {
  /** How long it holds, milliseconds since 1970: until no token of the sign-in can be good any more. */
  readonly untilMs: number;
};

/**
 * PORT: which sessions and sign-ins were revoked. One registry per deployment or region.
 *
 * Implementations must ensure
 * - `revoke` resolves once the revocation outlasts a crash of this process and of the servers, and at once it holds in
 *   this process; every other process that can reach the registry knows it within 1 s;
 * - it holds until its time is over, and is then forgotten;
 * - a registry that is open knows all that was revoked before it was opened; asking it asks nobody, so that it goes on
 *   with what it knows while its servers are away, and catches up by itself when they are back;
 * - listeners hear of every revocation once it holds here, also of those that were made while the servers were away; of
 *   one they may hear twice;
 * - bounds: maxRevocations that hold at a time; further ones are refused, none is forgotten early.
 */
export interface Revocations extends AsyncDisposable {
  /** Rejects with STORE_UNAVAILABLE when the registry can't be reached, and with OVERLOADED at the bound. */
  revoke(revocation: Revocation): Promise<void>;
  /** True while a revocation holds that concerns them. */
  isRevoked(signedIn: SignedIn): boolean;
  /** Calls the listener for every revocation from now on; the result ends that. */
  watch(listener: (revocation: Revocation) => void): Disposable;
}

/** True when the revocation is of this sign-in or session. */
export function concerns(revocation: Revocation, { user, signInId, sessionId }: SignedIn): boolean {
  if (revocation.user !== user) return false;
  const ofSignIn = revocation.signInId !== "" && revocation.signInId === signInId;
  return ofSignIn || (revocation.sessionId !== "" && revocation.sessionId === sessionId);
}

/** The revocation that a JSON text holds; undefined when it holds none. Fields of newer versions are left out. */
export function parseRevocation(text: string): Revocation | undefined {
  try {
    const { user, signInId, sessionId, untilMs } = JSON.parse(text);
    const areTexts = [user, signInId, sessionId].every((field) => typeof field === "string");
    return areTexts && Number.isSafeInteger(untilMs) ? { user, signInId, sessionId, untilMs } : undefined;
  } catch {
    // Whatever it is, it is no revocation; the caller tells of it.
    return undefined;
  }
}
