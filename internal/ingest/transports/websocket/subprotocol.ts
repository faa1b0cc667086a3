import type { Limits } from "../../../core/limits.ts";

/** Subprotocol of binary frames: one protobuf message each. */
export const PROTOBUF_SUBPROTOCOL = "bimride.v1.protobuf";
/** Subprotocol of text frames: one message in protobuf's JSON form each. */
export const JSON_SUBPROTOCOL = "bimride.v1.json";
/** Subprotocol of MQTT 3.1.1. */
export const MQTT_SUBPROTOCOL = "mqtt";
/**
 * A browser can't set headers on a WebSocket: it offers this prefix and its token as one more subprotocol, after the
 * codec's. It is never chosen, so it is not echoed, and it never stands in a URL.
 */
export const TOKEN_SUBPROTOCOL_PREFIX = "bimride.token.";

const SPOKEN: readonly string[] = [PROTOBUF_SUBPROTOCOL, JSON_SUBPROTOCOL, MQTT_SUBPROTOCOL];

/** The subprotocol to answer with: the first of ours among those offered, or false for none. */
export function chooseSubprotocol(offered: Iterable<string>): string | false {
  for (const name of offered) if (SPOKEN.includes(name)) return name;
  return false;
}

/** The token among the subprotocols of a `Sec-WebSocket-Protocol` header, or undefined. */
export function subprotocolTokenOf(header: string | undefined): string | undefined {
  const names = header?.split(",").map((name) => name.trim()) ?? [];
  return names
    .find((name) => name.startsWith(TOKEN_SUBPROTOCOL_PREFIX))
    ?.slice(TOKEN_SUBPROTOCOL_PREFIX.length);
}

/** Options for the one `@fastify/websocket` of a server that carries the ingest routes. */
export function ingestWebSocketOptions(limits: Pick<Limits, "maxMessageBytes">) {
  return {
    maxPayload: limits.maxMessageBytes,
    handleProtocols: (offered: Set<string>) => chooseSubprotocol(offered),
  };
}
