import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type PublishRequest,
  PublishRequestSchema,
  PublishResponseSchema,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import { type OpenSocket, type Socket, TOKEN_PREFIX } from "../../client/transports/websocket.ts";
import { CONNECTION_LOST, type DriverTransport, type OpenStream, type StreamEnd } from "../transport.ts";

/** The sub-protocol that names the format; the token rides beside it, so that it is in no URL. */
export const INGEST_SUBPROTOCOL = "bimride.v1.protobuf";
const INGEST_PATH = "/v1/ingest";
const NORMAL = 1000;
const TOO_BIG = 1009;
/** Close codes that carry an error's code as their reason: 4000 plus its HTTP status. */
const APPLICATION = 4000;

/** True where the platform has a WebSocket of its own: browsers, and Node from 22 on. */
export function hasWebSocket(): boolean {
  return typeof WebSocket === "function";
}

/**
 * A driver's session over WebSocket at /v1/ingest.
 * @param openSocket e.g. `(url, protocols) => new WebSocket(url, protocols)` of the package `ws` where the platform has none
 */
export function websocketTransport(
  baseUrl: string,
  openSocket: OpenSocket = (url, protocols) => new WebSocket(url, protocols) as unknown as Socket,
): DriverTransport {
  const url = new URL(INGEST_PATH, baseUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return {
    name: "websocket",
    isStream: true,
    open: (options) =>
      openStream(openSocket(url.href, [INGEST_SUBPROTOCOL, TOKEN_PREFIX + options.token]), options),
  };
}

function openStream(socket: Socket, { onMessage, onEnd }: OpenStream) {
  const early: PublishRequest[] = [];
  let phase: "connecting" | "open" | "over" = "connecting";
  const end = (how: StreamEnd) => {
    if (phase === "over") return;
    phase = "over";
    onEnd(how);
  };
  const send = (message: PublishRequest) =>
    socket.send(toBinary(PublishRequestSchema, message) as Uint8Array<ArrayBuffer>);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => {
    if (phase !== "connecting") return;
    phase = "open";
    for (const message of early.splice(0)) send(message);
  });
  // A close event always follows an error and says more.
  socket.addEventListener("error", () => {});
  socket.addEventListener("close", (event) => end({ code: codeOf(event) }));
  socket.addEventListener("message", ({ data }) => {
    if (phase === "over") return;
    try {
      onMessage(fromBinary(PublishResponseSchema, new Uint8Array(data as ArrayBuffer)));
    } catch {
      // What can't be read is no gateway of ours, or one that broke.
      socket.close(NORMAL);
      end({ code: CONNECTION_LOST });
    }
  });
  return {
    send(message: PublishRequest) {
      if (phase === "connecting") early.push(message);
      else if (phase === "open") send(message);
    },
    close: () => socket.close(NORMAL),
    cut() {
      socket.close(NORMAL);
      queueMicrotask(() => end({ code: CONNECTION_LOST }));
    },
  };
}

function codeOf({ code, reason }: { code: number; reason: string }): string {
  if (code === NORMAL) return "";
  if (code === TOO_BIG) return "MESSAGE_TOO_LARGE";
  return code >= APPLICATION && reason !== "" ? reason : CONNECTION_LOST;
}
