import type { ServiceImpl } from "@connectrpc/connect";
import type { HistoryService } from "../../../gen/bimride/tracking/v1/history_pb.ts";
import type { EdgeContext } from "../context.ts";
import { exportTrack, trackFileOf } from "../record/export-track.ts";
import { getTrack } from "../record/get-track.ts";
import { listTripEvents } from "../record/list-events.ts";
import { streaming, unary } from "./caller.ts";

export function historyService(edge: EdgeContext): ServiceImpl<typeof HistoryService> {
  return {
    getTrack: unary(edge, (request, caller) => getTrack(edge, caller, request)),
    listTripEvents: unary(edge, (request, caller) => listTripEvents(edge, caller, request)),
    exportTrack: streaming(edge, async (request, caller) => {
      const file = trackFileOf(request.format);
      return asChunks(await exportTrack(edge, caller, request, file));
    }),
  };
}

async function* asChunks(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ chunk: Uint8Array<ArrayBuffer> }> {
  for await (const piece of pieces) yield { chunk: new Uint8Array(piece) };
}
