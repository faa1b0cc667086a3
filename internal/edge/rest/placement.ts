import { create } from "@bufbuild/protobuf";
import type { FastifyPluginAsync } from "fastify";
import {
  type LocateRequest,
  LocateResponseSchema,
  PartyTargetSchema,
  TripTargetSchema,
} from "../../../gen/bimride/tracking/v1/placement_pb.ts";
import { BimrideError } from "../../core/errors.ts";
import type { EdgeContext } from "../context.ts";
import { locate } from "../locate.ts";
import { authenticated } from "./caller.ts";
import { sendMessage, textParameter } from "./json.ts";

/**
 * Letters of a geohash in a URL, which proxies and browsers write down: five name a cell of about 5 by 5 km, enough for
 * choosing a region and too rough for telling where somebody is.
 */
const MAX_GEOHASH_IN_URL = 5;

/** PlacementService as REST. Edges have it by themselves; a node of another role takes it as one of its plugins. */
export function placementRoutes(node: Pick<EdgeContext, "authenticator" | "placement">): FastifyPluginAsync {
  return async (server) => {
    const callerOf = authenticated(node, server);
    server.get("/v1/placement", async (request, reply) => {
      const caller = callerOf(request);
      const response = locate(node, caller, { target: targetOf(request.query) });
      reply.headers({ "cache-control": "no-store", vary: "authorization" });
      return sendMessage(reply, LocateResponseSchema, response);
    });
  };
}

function targetOf(query: unknown): LocateRequest["target"] {
  const tripId = textParameter(query, "tripId");
  const geohash = textParameter(query, "geohash");
  const lastRegion = textParameter(query, "lastRegion");
  if (tripId !== undefined) {
    if (geohash !== undefined || lastRegion !== undefined)
      throw new BimrideError("FIELD_INVALID", "A trip needs no place.", { field: "tripId" });
    return { case: "trip", value: create(TripTargetSchema, { tripId }) };
  }
  if (geohash !== undefined && geohash.length > MAX_GEOHASH_IN_URL)
    throw new BimrideError("FIELD_INVALID", `At most ${MAX_GEOHASH_IN_URL} letters: URLs are logged.`, {
      field: "geohash",
    });
  const place = geohash === undefined ? {} : { place: { case: "geohash" as const, value: geohash } };
  return { case: "party", value: create(PartyTargetSchema, { ...place, lastRegion: lastRegion ?? "" }) };
}
