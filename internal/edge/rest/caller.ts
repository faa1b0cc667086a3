import type { FastifyRequest } from "fastify";
import { bearerToken } from "../../auth/jwt.ts";
import type { Principal } from "../../auth/principal.ts";
import type { EdgeContext } from "../context.ts";

/** Who calls, by the Authorization header. Throws TOKEN_MISSING, TOKEN_INVALID or TOKEN_EXPIRED. */
export function callerOf(edge: EdgeContext, request: FastifyRequest): Promise<Principal> {
  return edge.authenticator.authenticate(bearerToken(request.headers.authorization));
}
