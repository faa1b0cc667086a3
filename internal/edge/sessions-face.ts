import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  type ListSessionsResponse,
  ListSessionsResponseSchema,
  type RevokeSessionResponse,
  RevokeSessionResponseSchema,
} from "../../gen/bimride/tracking/v1/sessions_pb.ts";
import { type Principal, userKeyOf } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import { type Party, partyKey, partyKindOf } from "../core/fix.ts";
import { ID_PATTERN, SESSION_ID_PATTERN } from "../core/ids.ts";
import type { PresentSession } from "../live/bus.ts";
import type { Revocation } from "../sessions/revocations.ts";
import type { EdgeDeps } from "./deps.ts";
import type { EdgeEvents } from "./events.ts";
import { sessionMessage } from "./wire/session-messages.ts";

type Deps = Pick<EdgeDeps, "rollCall" | "revocations" | "clock" | "limits"> & { events: EdgeEvents };
/** A party as messages name it; absent for one's own. */
type Asked = { kind: number; id: string } | undefined;
/** A session as it is listed: the watches of one sign-in are one. */
type Listed = { sessionId: string; present: PresentSession };

/** SessionService in messages, for Connect and REST alike: who may see and revoke whose sessions, and what that does. */
export class SessionsFace {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** @throws ROLE_FORBIDDEN, PARTY_MISMATCH, FIELD_INVALID, STORE_UNAVAILABLE */
  async list(caller: Principal, { user: asked }: { user?: Asked }): Promise<ListSessionsResponse> {
    const user = userAsked(caller, asked, ["support", "admin"]);
    const { sessions, complete } = await this.#deps.rollCall.sessionsOf(user);
    const own = user === userKeyOf(caller) ? caller.signInId : undefined;
    return create(ListSessionsResponseSchema, {
      sessions: listed(user, sessions).map(({ sessionId, present }) =>
        sessionMessage(sessionId, user, present, present.signInId === own),
      ),
      complete,
    });
  }

  /**
   * Once this resolves the sign-ins behind the session are let in nowhere any more, and their streams end.
   * @throws ROLE_FORBIDDEN, PARTY_MISMATCH, FIELD_INVALID, NOT_FOUND; STORE_UNAVAILABLE when the revocation can't be kept,
   * or when a node that might have the session did not answer; OVERLOADED
   */
  async revoke(
    caller: Principal,
    { sessionId, user: asked }: { sessionId: string; user?: Asked },
  ): Promise<RevokeSessionResponse> {
    const user = userAsked(caller, asked, ["admin"]);
    if (!SESSION_ID_PATTERN.test(sessionId)) throw new BimrideError("NOT_FOUND");
    const { sessions, complete } = await this.#deps.rollCall.sessionsOf(user);
    const meant = sessions.filter((present) => idOf(user, present) === sessionId);
    if (meant.length === 0)
      throw complete
        ? new BimrideError("NOT_FOUND")
        : new BimrideError("STORE_UNAVAILABLE", "Not every node answered: ask again.");
    const signIns = new Set(meant.map(({ signInId }) => signInId));
    for (const revocation of this.#revocationsOf(user, signIns, meant))
      await this.#deps.revocations.revoke(revocation);
    const streams = sessions.filter((each) => signIns.has(each.signInId) || meant.includes(each)).length;
    this.#deps.events.sessionRevoked(caller.role, user, streams);
    return create(RevokeSessionResponseSchema, { streams });
  }

  /** Per sign-in one; each holds until no token of it can be good any more. */
  #revocationsOf(user: string, signIns: Iterable<string>, meant: readonly PresentSession[]): Revocation[] {
    const { clock, limits } = this.#deps;
    const nowMs = clock.now();
    const tokensEndMs = Math.max(...meant.map(({ expiresAtMs }) => expiresAtMs));
    const untilMs = Math.min(
      Math.max(nowMs + limits.revocationMs, tokensEndMs),
      nowMs + limits.maxRevocationMs,
    );
    const sessionId = meant[0]?.sessionId ?? "";
    return [...signIns].map((signInId) => ({ user, signInId, sessionId, untilMs: Math.round(untilMs) }));
  }
}

/** Whose sessions are asked for. @param others roles that may ask for anybody's, and must say whose */
function userAsked(caller: Principal, asked: Asked, others: readonly Principal["role"][]): string {
  const isParty = caller.role === "driver" || caller.role === "rider";
  if (!isParty && !others.includes(caller.role)) throw new BimrideError("ROLE_FORBIDDEN");
  const party = asked && partyOf(asked);
  if (isParty) {
    if (party && partyKey(party) !== userKeyOf(caller))
      throw new BimrideError("PARTY_MISMATCH", undefined, { field: "user" });
    return userKeyOf(caller);
  }
  if (!party) throw new BimrideError("FIELD_INVALID", "Say whose.", { field: "user" });
  return partyKey(party);
}

function partyOf({ kind: number, id }: NonNullable<Asked>): Party {
  const kind = partyKindOf(number);
  if (!kind) throw new BimrideError("FIELD_INVALID", "Driver or rider.", { field: "user.kind" });
  if (!ID_PATTERN.test(id)) throw new BimrideError("FIELD_INVALID", "Not an id.", { field: "user.id" });
  return { kind, id };
}

/** The id under which a session is listed: its own, or, of those that watch, one that stands for their sign-in. */
function idOf(user: string, { kind, sessionId, signInId }: PresentSession): string {
  if (kind === "publishing") return sessionId;
  return createHash("sha256").update(`watching ${user} ${signInId}`).digest("base64url").slice(0, 22);
}

/** Newest first, as they came. */
function listed(user: string, sessions: readonly PresentSession[]): Listed[] {
  const byId = new Map<string, Listed>();
  for (const present of sessions) {
    const sessionId = idOf(user, present);
    const known = byId.get(sessionId);
    if (!known) byId.set(sessionId, { sessionId, present });
    else known.present = merged(known.present, present);
  }
  return [...byId.values()];
}

function merged(newer: PresentSession, older: PresentSession): PresentSession {
  const openedAtMs = Math.min(newer.openedAtMs, older.openedAtMs);
  return { ...newer, openedAtMs, lastHeardAtMs: Math.max(newer.lastHeardAtMs, older.lastHeardAtMs) };
}
