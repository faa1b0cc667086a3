import { create } from "@bufbuild/protobuf";
import type { FastifyPluginAsync } from "fastify";
import * as pb from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { EdgeContext } from "../context.ts";
import { authenticated } from "./caller.ts";
import { flagParameter, messageOf, numberParameter, sendMessage, textParameter } from "./json.ts";

type ById = { Params: { id: string } };

/** TripService as REST. Bodies and answers are the JSON forms of its messages; the id comes from the path. */
export function tripRoutes(edge: EdgeContext): FastifyPluginAsync {
  const trips = edge.tripsFace;
  return async (server) => {
    const callerOf = authenticated(edge, server);
    server.post("/v1/trips", async (request, reply) => {
      const caller = callerOf(request);
      const trip = await trips.create(caller, messageOf(pb.CreateTripRequestSchema, request.body));
      return sendMessage(reply, pb.CreateTripResponseSchema, create(pb.CreateTripResponseSchema, { trip }));
    });

    server.get("/v1/trips", async (request, reply) => {
      const caller = callerOf(request);
      const { query } = request;
      const asked = create(pb.ListTripsRequestSchema, {
        riderId: textParameter(query, "riderId") ?? "",
        driverId: textParameter(query, "driverId") ?? "",
        runningOnly: flagParameter(query, "runningOnly"),
        pageSize: numberParameter(query, "pageSize"),
        pageToken: textParameter(query, "pageToken") ?? "",
      });
      return sendMessage(reply, pb.ListTripsResponseSchema, await trips.list(caller, asked));
    });

    server.get<ById>("/v1/trips/:id", async (request, reply) => {
      const trip = await trips.get(callerOf(request), request.params.id);
      return sendMessage(reply, pb.GetTripResponseSchema, create(pb.GetTripResponseSchema, { trip }));
    });

    server.patch<ById>("/v1/trips/:id", async (request, reply) => {
      const caller = callerOf(request);
      const path = { tripId: request.params.id };
      const trip = await trips.update(caller, messageOf(pb.UpdateTripRequestSchema, request.body, path));
      return sendMessage(reply, pb.UpdateTripResponseSchema, create(pb.UpdateTripResponseSchema, { trip }));
    });

    server.post<ById>("/v1/trips/:id([^/:]+)::status", async (request, reply) => {
      const caller = callerOf(request);
      const path = { tripId: request.params.id };
      const trip = await trips.setStatus(
        caller,
        messageOf(pb.SetTripStatusRequestSchema, request.body, path),
      );
      return sendMessage(
        reply,
        pb.SetTripStatusResponseSchema,
        create(pb.SetTripStatusResponseSchema, { trip }),
      );
    });

    server.post<ById>("/v1/trips/:id([^/:]+)::cancel", async (request, reply) => {
      const caller = callerOf(request);
      const path = { tripId: request.params.id };
      const { tripId, reason } = messageOf(pb.CancelTripRequestSchema, request.body, path);
      const trip = await trips.cancel(caller, tripId, reason);
      return sendMessage(reply, pb.CancelTripResponseSchema, create(pb.CancelTripResponseSchema, { trip }));
    });

    server.post<ById>("/v1/trips/:id([^/:]+)::shareLocation", async (request, reply) => {
      const caller = callerOf(request);
      const path = { tripId: request.params.id };
      const { tripId, granted } = messageOf(pb.SetLocationSharingRequestSchema, request.body, path);
      const trip = await trips.setLocationSharing(caller, tripId, granted);
      return sendMessage(
        reply,
        pb.SetLocationSharingResponseSchema,
        create(pb.SetLocationSharingResponseSchema, { trip }),
      );
    });
  };
}
