import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  WatchTripsRequestSchema,
  type WatchTripsResponse,
  WatchTripsResponseSchema,
} from "../../../gen/bimride/tracking/v1/live_pb.ts";
import { type Transport, WatchFailure, type WatchRequest } from "../transport.ts";

/** The part of the browsers' WebSocket that is used here; Node 24 has the same. */
export type Socket = {
  binaryType: string;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
};
export type OpenSocket = (url: string, protocols: string[]) => Socket;

/** Messages that came and were not taken yet; more ends the session, and its successor resumes with a snapshot. */
const MAX_UNREAD = 256;
/** The sub-protocol that names the format; the token rides beside it, so that it is in no URL and no log of URLs. */
export const LIVE_SUBPROTOCOL = "bimride.v1.protobuf";
export const TOKEN_PREFIX = "bimride.token.";

const isTokenRefusal = (event: { code: number; reason: string }) =>
  event.code === 4401 || event.code === 3000 || event.reason.startsWith("TOKEN_");

/**
 * Watches over a WebSocket at /v1/live: the client's one message is a WatchTripsRequest, each message of the server a
 * WatchTripsResponse. Has no renewal of its own: the session is opened anew with a fresh token before the old one expires.
 */
export function websocketTransport(
  baseUrl: string,
  openSocket: OpenSocket = (url, protocols) => new WebSocket(url, protocols) as unknown as Socket,
): Transport {
  const url = new URL("/v1/live", baseUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return {
    name: "websocket",
    async *open(request: WatchRequest) {
      const token = await request.token();
      if (request.signal.aborted) return;
      const socket = openSocket(url.href, [LIVE_SUBPROTOCOL, TOKEN_PREFIX + token]);
      try {
        yield* readSocket(socket, request);
      } finally {
        socket.close(1000);
      }
    },
  };
}

async function* readSocket(socket: Socket, request: WatchRequest): AsyncGenerator<WatchTripsResponse> {
  const unread: WatchTripsResponse[] = [];
  let end: WatchFailure | "closed" | undefined;
  let wake: () => void = () => {};
  const finish = (how: WatchFailure | "closed") => {
    end ??= how;
    wake();
  };
  socket.binaryType = "arraybuffer";
  request.signal.addEventListener("abort", () => finish("closed"), { once: true });
  socket.addEventListener("open", () => {
    const message = create(WatchTripsRequestSchema, { targets: request.targets });
    socket.send(toBinary(WatchTripsRequestSchema, message));
  });
  // A close event always follows an error and says more.
  socket.addEventListener("error", () => {});
  socket.addEventListener("close", (event) => {
    if (event.code === 1000) return finish("closed");
    const reason = event.reason || `closed with ${event.code}`;
    finish(new WatchFailure(reason, { unauthenticated: isTokenRefusal(event) }));
  });
  socket.addEventListener("message", (event) => {
    if (!(event.data instanceof ArrayBuffer)) return finish(new WatchFailure("not a binary message"));
    if (unread.length >= MAX_UNREAD) return finish(new WatchFailure("too many unread messages"));
    try {
      unread.push(fromBinary(WatchTripsResponseSchema, new Uint8Array(event.data)));
    } catch (error) {
      return finish(new WatchFailure("not a valid message", { cause: error }));
    }
    wake();
  });

  for (;;) {
    while (unread.length > 0) yield unread.shift()!;
    if (end === "closed") return;
    if (end) throw end;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}
