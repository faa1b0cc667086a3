import { WebSocket } from "ws";
import { fixesBytes, heard, helloBytes, type OpenLink } from "./link.ts";

const PROTOBUF_SUBPROTOCOL = "bimride.v1.protobuf";

/** The WebSocket transport. */
export const openWebSocketLink: OpenLink = ({ address, id, token }, events) => {
  const socket = new WebSocket(`ws://${address}/v1/ingest`, [PROTOBUF_SUBPROTOCOL], {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  socket.on("open", () => socket.send(helloBytes(id)));
  socket.on("message", (bytes: Buffer) => heard(bytes, events));
  socket.on("ping", () => events.beat());
  socket.on("error", () => {}); // a close follows
  socket.on("close", () => events.closed());
  return {
    send: (seqs) => socket.send(fixesBytes(seqs)),
    close: () => socket.terminate(),
  };
};
