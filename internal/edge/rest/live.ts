import type { FastifyPluginAsync } from "fastify";
import { GetLiveTripResponseSchema } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { EdgeContext } from "../context.ts";
import { etagMatches, readLive } from "../live/read-live.ts";
import { authenticated } from "./caller.ts";
import { sendMessage } from "./json.ts";

/** Header of a poll's answer: when asking again makes sense, milliseconds. Also on a 304, which has no body to say it. */
export const POLL_AFTER_HEADER = "bimride-poll-after-ms";

/** Polling, for those who can't hold a stream. */
export function liveRoutes(edge: EdgeContext): FastifyPluginAsync {
  return async (server) => {
    const callerOf = authenticated(edge, server);
    server.get<{ Params: { id: string } }>("/v1/trips/:id/live", async (request, reply) => {
      const caller = callerOf(request);
      const { response, etag } = await readLive(edge, caller, request.params.id);
      reply.headers({
        etag,
        [POLL_AFTER_HEADER]: response.pollAfterMs,
        "cache-control": "no-store",
        vary: "authorization",
      });
      if (etagMatches(request.headers["if-none-match"], etag)) return reply.code(304).send();
      return sendMessage(reply, GetLiveTripResponseSchema, response);
    });
  };
}
