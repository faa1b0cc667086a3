import type { FastifyPluginAsync } from "fastify";
import {
  ListSessionsResponseSchema,
  RevokeSessionResponseSchema,
} from "../../../gen/bimride/tracking/v1/sessions_pb.ts";
import { BimrideError } from "../../core/errors.ts";
import { PARTY_KINDS, type PartyKind } from "../../core/fix.ts";
import type { EdgeContext } from "../context.ts";
import { authenticated } from "./caller.ts";
import { sendMessage, textParameter } from "./json.ts";

/** SessionService as REST. Whose sessions is said in the query: `userKind` and `userId`, both or, for one's own, neither. */
export function sessionRoutes(edge: EdgeContext): FastifyPluginAsync {
  return async (server) => {
    const callerOf = authenticated(edge, server);
    server.get("/v1/sessions", async (request, reply) => {
      const response = await edge.sessionsFace.list(callerOf(request), userOf(request.query));
      reply.headers({ "cache-control": "no-store", vary: "authorization" });
      return sendMessage(reply, ListSessionsResponseSchema, response);
    });

    server.delete<{ Params: { id: string } }>("/v1/sessions/:id", async (request, reply) => {
      const asked = { sessionId: request.params.id, ...userOf(request.query) };
      return sendMessage(
        reply,
        RevokeSessionResponseSchema,
        await edge.sessionsFace.revoke(callerOf(request), asked),
      );
    });
  };
}

function userOf(query: unknown): { user?: { kind: number; id: string } } {
  const kind = textParameter(query, "userKind");
  const id = textParameter(query, "userId");
  if (kind === undefined && id === undefined) return {};
  const number = PARTY_KINDS.indexOf(kind as PartyKind) + 1;
  if (number === 0)
    throw new BimrideError("FIELD_INVALID", `One of ${PARTY_KINDS.join(", ")}.`, { field: "userKind" });
  return { user: { kind: number, id: id ?? "" } };
}
