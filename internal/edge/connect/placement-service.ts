import type { ServiceImpl } from "@connectrpc/connect";
import type { PlacementService } from "../../../gen/bimride/tracking/v1/placement_pb.ts";
import type { EdgeContext } from "../context.ts";
import { locate } from "../locate.ts";
import { unary } from "./caller.ts";

export function placementService(edge: EdgeContext): ServiceImpl<typeof PlacementService> {
  return { locate: unary(edge, (request, caller) => locate(edge, caller, request)) };
}
