import type { FastifyRequest } from "fastify";

/** What a request came by, the same for all requests on it: a socket, or a session of HTTP/2. */
export type Connection = { bytesWritten: number } | Http2Session;

type Http2Session = { readonly destroyed: boolean; readonly socket: { bytesWritten: number } };

export function connectionOf({ raw }: FastifyRequest): Connection {
  const { stream } = raw as unknown as { stream?: { session?: Http2Session } };
  return stream?.session ?? raw.socket;
}

/** Bytes written to the connection since it began; undefined where a session is over and can't tell any more. */
export function bytesWrittenTo(connection: Connection): number | undefined {
  if ("bytesWritten" in connection) return connection.bytesWritten;
  return connection.destroyed ? undefined : connection.socket.bytesWritten;
}
