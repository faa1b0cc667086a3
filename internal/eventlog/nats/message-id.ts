import type { MsgHdrs } from "@nats-io/transport-node";

/**
 * Headers of a message that has an id and nothing else, encoded by hand: the client's own take 2.5 of the 9.5 µs of CPU
 * that an append costs (m). The client asks headers that it sends for their bytes and for nothing else.
 * @param id letters, digits, `_`, `-` and `.` only
 */
export function messageIdHeaders(id: string): MsgHdrs {
  const bytes = Buffer.from(`NATS/1.0\r\nNats-Msg-Id: ${id}\r\n\r\n`, "latin1");
  return { encode: () => bytes } as unknown as MsgHdrs;
}
