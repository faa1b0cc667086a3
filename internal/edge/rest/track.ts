import { Readable } from "node:stream";
import type { FastifyPluginAsync } from "fastify";
import {
  GetTrackResponseSchema,
  ListTripEventsResponseSchema,
  TrackView,
} from "../../../gen/bimride/tracking/v1/history_pb.ts";
import type { EdgeContext } from "../context.ts";
import { exportTrack } from "../record/export-track.ts";
import { getTrack } from "../record/get-track.ts";
import { listTripEvents } from "../record/list-events.ts";
import { csvFile, geojsonFile, gpxFile } from "../record/track-files.ts";
import { authenticated } from "./caller.ts";
import { choiceParameter, numberParameter, sendMessage, textParameter } from "./json.ts";

type ById = { Params: { id: string } };
const FILES = { geojson: geojsonFile, gpx: gpxFile, csv: csvFile } as const;
const VIEWS = { recorded: TrackView.RECORDED, final: TrackView.FINAL } as const;

/** HistoryService as REST: pages as JSON, whole tracks as files. */
export function trackRoutes(edge: EdgeContext): FastifyPluginAsync {
  return async (server) => {
    const callerOf = authenticated(edge, server);
    server.get<ById>("/v1/trips/:id/track", async (request, reply) => {
      const caller = callerOf(request);
      const { query } = request;
      const tripId = request.params.id;
      const view = VIEWS[choiceParameter(query, "view", ["recorded", "final"])];
      const format = choiceParameter(query, "format", ["json", "geojson", "gpx", "csv"]);
      reply.header("cache-control", "private, no-store");
      if (format === "json") {
        const pageSize = numberParameter(query, "pageSize");
        const pageToken = textParameter(query, "pageToken") ?? "";
        const track = await getTrack(edge, caller, { tripId, view, pageSize, pageToken });
        return sendMessage(reply, GetTrackResponseSchema, track);
      }
      const file = FILES[format];
      const pieces = await exportTrack(edge, caller, { tripId, view }, file);
      return reply
        .type(file.mediaType)
        .header("content-disposition", `attachment; filename="${tripId}.${file.extension}"`)
        .send(Readable.from(pieces, { objectMode: false }));
    });

    server.get<ById>("/v1/trips/:id/events", async (request, reply) => {
      const caller = callerOf(request);
      const pageSize = numberParameter(request.query, "pageSize");
      const pageToken = textParameter(request.query, "pageToken") ?? "";
      const events = await listTripEvents(edge, caller, { tripId: request.params.id, pageSize, pageToken });
      return sendMessage(reply, ListTripEventsResponseSchema, events);
    });
  };
}
