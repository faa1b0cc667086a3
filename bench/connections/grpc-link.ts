import { connect, constants } from "node:http2";
import { Envelopes, envelope } from "./envelopes.ts";
import { fixesBytes, heard, helloBytes, type OpenLink } from "./link.ts";

const PATH = "/bimride.tracking.v1.IngestService/Publish";

/** gRPC's own wire format on a bare HTTP/2 connection: a library's channel would cost the clients more than the gateway. */
export const openGrpcLink: OpenLink = ({ address, id, token }, events) => {
  const session = connect(`http://${address}`);
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: PATH,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${token}`,
  });
  const envelopes = new Envelopes((bytes) => heard(bytes, events));
  let isClosed = false;
  const closed = () => {
    if (isClosed) return;
    isClosed = true;
    session.destroy();
    events.closed();
  };
  stream.on("data", (bytes: Buffer) => envelopes.push(bytes));
  stream.on("error", closed);
  stream.on("close", closed);
  // The server's end closes nothing as long as this side is open.
  stream.on("end", closed);
  session.on("error", closed);
  session.on("close", closed);
  // The server's keepalive.
  session.on("ping", () => events.beat());
  stream.write(envelope(helloBytes(id)));
  return {
    send: (seqs) => void stream.write(envelope(fixesBytes(seqs))),
    close: () => session.destroy(),
  };
};
