import type { ServiceImpl } from "@connectrpc/connect";
import type { FleetService } from "../../../gen/bimride/tracking/v1/fleet_pb.ts";
import type { EdgeContext } from "../context.ts";
import { watchViewport } from "../fleet/watch-viewport.ts";
import { streaming } from "./caller.ts";

export function fleetService(edge: EdgeContext): ServiceImpl<typeof FleetService> {
  return {
    watchViewport: streaming(edge, (request, caller, signal) => watchViewport(edge, caller, request, signal)),
  };
}
