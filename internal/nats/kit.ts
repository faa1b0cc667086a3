import { fakeServer } from "../../test/kit/fake-server.ts";
import type { NatsOptions } from "./options.ts";

/** What tests connect with. */
export function natsAt(address: string, rest: Partial<NatsOptions> = {}): NatsOptions {
  return { servers: [address], name: "bimride-test", ...rest };
}

/** A server that says of itself what is given, and answers pings. */
export function fakeNats(info: object) {
  return fakeServer((socket) => {
    socket.write(`INFO ${JSON.stringify({ server_id: "X", max_payload: 1_048_576, proto: 1, ...info })}\r\n`);
    socket.on("data", (data) => {
      for (const _ of data.toString("latin1").matchAll(/PING\r\n/g)) socket.write("PONG\r\n");
    });
  });
}
