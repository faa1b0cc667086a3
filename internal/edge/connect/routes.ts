import type { ConnectRouter } from "@connectrpc/connect";
import { FleetService } from "../../../gen/bimride/tracking/v1/fleet_pb.ts";
import { HistoryService } from "../../../gen/bimride/tracking/v1/history_pb.ts";
import { LiveService } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import { PlacementService } from "../../../gen/bimride/tracking/v1/placement_pb.ts";
import { SessionService } from "../../../gen/bimride/tracking/v1/sessions_pb.ts";
import { TripService } from "../../../gen/bimride/tracking/v1/trip_pb.ts";
import type { EdgeContext } from "../context.ts";
import { fleetService } from "./fleet-service.ts";
import { historyService } from "./history-service.ts";
import { liveService } from "./live-service.ts";
import { placementService } from "./placement-service.ts";
import { sessionService } from "./session-service.ts";
import { tripService } from "./trip-service.ts";
import { answerUnreadable } from "./unreadable.ts";

/** The services of the edge, for Connect, gRPC-Web and, over HTTP/2, gRPC clients. */
export function connectRoutes(edge: EdgeContext): (router: ConnectRouter) => void {
  return (router) => {
    router.service(TripService, tripService(edge));
    router.service(LiveService, liveService(edge));
    router.service(FleetService, fleetService(edge));
    router.service(HistoryService, historyService(edge));
    router.service(PlacementService, placementService(edge));
    router.service(SessionService, sessionService(edge));
    answerUnreadable(router, edge.limits.maxMessageBytes);
  };
}
