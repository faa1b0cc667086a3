import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionService } from "../../../gen/bimride/tracking/v1/sessions_pb.ts";
import type { EdgeContext } from "../context.ts";
import { unary } from "./caller.ts";

export function sessionService(edge: EdgeContext): ServiceImpl<typeof SessionService> {
  return {
    listSessions: unary(edge, (request, caller) => edge.sessionsFace.list(caller, request)),
    revokeSession: unary(edge, (request, caller) => edge.sessionsFace.revoke(caller, request)),
  };
}
