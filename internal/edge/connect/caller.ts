import { type ContextKey, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { bearerToken } from "../../auth/jwt.ts";
import type { Principal } from "../../auth/principal.ts";
import { asBimrideError, BimrideError } from "../../core/errors.ts";
import type { EdgeContext } from "../context.ts";
import { connectErrorOf } from "../failures.ts";
import { progressOf } from "./unreadable.ts";

const PRINCIPAL: ContextKey<Principal | undefined> = createContextKey<Principal | undefined>(undefined);

/** Authenticates every call before its body is read, and keeps who calls for {@link callerOf}. */
export function callGate(edge: EdgeContext): (context: HandlerContext) => Promise<void> {
  return async (context) => {
    const progress = progressOf(context.values);
    try {
      if (progress?.refuse) throw progress.refuse;
      const token = bearerToken(context.requestHeader.get("authorization"));
      context.values.set(PRINCIPAL, await edge.authenticator.authenticate(token));
      if (progress) progress.admitted = true;
    } catch (cause) {
      throw failed(edge, cause, context.method.name);
    }
  };
}

/** Who calls; called first thing by every method. Throws TOKEN_MISSING where the gate did not run. */
export function callerOf(context: HandlerContext): Principal {
  const principal = context.values.get(PRINCIPAL);
  const progress = progressOf(context.values);
  if (progress) progress.reached = true;
  if (!principal) throw new BimrideError("TOKEN_MISSING");
  return principal;
}

/** A unary method whose errors reach the client as the vocabulary says. */
export function unary<Request, Response>(
  edge: EdgeContext,
  method: (request: Request, caller: Principal) => Promise<Response> | Response,
): (request: Request, context: HandlerContext) => Promise<Response> {
  return async (request, context) => {
    try {
      return await method(request, callerOf(context));
    } catch (cause) {
      throw failed(edge, cause, context.method.name);
    }
  };
}

/** A streaming method whose errors reach the client as the vocabulary says. */
export function streaming<Request, Response>(
  edge: EdgeContext,
  method: (
    request: Request,
    caller: Principal,
    signal: AbortSignal,
  ) => AsyncIterable<Response> | Promise<AsyncIterable<Response>>,
): (request: Request, context: HandlerContext) => AsyncGenerator<Response, void, undefined> {
  return async function* (request, context) {
    try {
      yield* await method(request, callerOf(context), context.signal);
    } catch (cause) {
      throw failed(edge, cause, context.method.name);
    }
  };
}

function failed({ events }: EdgeContext, cause: unknown, where: string): Error {
  const error = asBimrideError(cause);
  events.failed(error, where);
  return connectErrorOf(error);
}
