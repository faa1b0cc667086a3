import type { FastifyInstance, FastifyRequest } from "fastify";
import { bearerToken } from "../../auth/jwt.ts";
import type { Principal } from "../../auth/principal.ts";
import { BimrideError } from "../../core/errors.ts";
import type { EdgeContext } from "../context.ts";

/**
 * Checks the token of every request to the routes of this plugin, before its body is read. The function tells a handler
 * who calls. Requests fail with TOKEN_MISSING, TOKEN_INVALID or TOKEN_EXPIRED.
 */
export function authenticated(
  edge: Pick<EdgeContext, "authenticator">,
  server: FastifyInstance,
): (request: FastifyRequest) => Principal {
  const callers = new WeakMap<FastifyRequest, Principal>();
  server.addHook("onRequest", async (request) => {
    const token = bearerToken(request.headers.authorization);
    callers.set(request, await edge.authenticator.authenticate(token));
  });
  return (request) => {
    const caller = callers.get(request);
    if (!caller) throw new BimrideError("TOKEN_MISSING");
    return caller;
  };
}
