import { type IncomingMessage, request } from "node:http";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WatchTripsRequestSchema, WatchTripsResponseSchema } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { Envelopes, envelope } from "./envelopes.ts";
import type { OpenLink } from "./link.ts";

const PATH = "/bimride.tracking.v1.LiveService/WatchTrips";

/** A viewer's stream, as a browser has it: Connect's format over HTTP/1.1, a connection of its own. */
export const openViewerLink: OpenLink = ({ address, token, tripId }, events) => {
  let isClosed = false;
  const closed = () => {
    if (isClosed) return;
    isClosed = true;
    events.closed();
  };
  const envelopes = new Envelopes((bytes) => {
    const { message } = fromBinary(WatchTripsResponseSchema, bytes);
    if (message.case === "snapshot") events.opened();
    if (message.case === "heartbeat") events.beat();
  });
  const call = request(`http://${address}${PATH}`, {
    agent: false,
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/connect+proto",
      "connect-protocol-version": "1",
    },
  });
  call.on("response", (response: IncomingMessage) => {
    response.on("data", (bytes: Buffer) => envelopes.push(bytes));
    response.on("error", closed);
    response.on("close", closed);
  });
  call.on("error", closed);
  call.on("close", closed);
  const targets = [{ tripId }];
  call.end(envelope(toBinary(WatchTripsRequestSchema, create(WatchTripsRequestSchema, { targets }))));
  return { send: () => {}, close: () => call.destroy() };
};
