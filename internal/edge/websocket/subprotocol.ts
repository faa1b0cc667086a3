/** Subprotocol of binary frames: one protobuf message each. */
export const PROTOBUF_SUBPROTOCOL = "bimride.v1.protobuf";
/** Subprotocol of text frames: one message in protobuf's JSON form each. */
export const JSON_SUBPROTOCOL = "bimride.v1.json";
/** Subprotocol of MQTT, for the route of a gateway in the same process. */
const MQTT_SUBPROTOCOL = "mqtt";
const SPOKEN: readonly string[] = [PROTOBUF_SUBPROTOCOL, JSON_SUBPROTOCOL, MQTT_SUBPROTOCOL];
/** A browser offers its token as one more subprotocol with this prefix. It is never chosen, so it is not echoed. */
const TOKEN_SUBPROTOCOL_PREFIX = "bimride.token.";

/** The subprotocol to answer with: the first of ours among those offered, or false for none. */
export function chooseSubprotocol(offered: Iterable<string>): string | false {
  for (const name of offered) if (SPOKEN.includes(name)) return name;
  return false;
}

/** The token among the subprotocols of a `Sec-WebSocket-Protocol` header; undefined when there is none. */
export function subprotocolToken(header: string | undefined): string | undefined {
  const names = header?.split(",").map((name) => name.trim()) ?? [];
  const name = names.find((candidate) => candidate.startsWith(TOKEN_SUBPROTOCOL_PREFIX));
  return name?.slice(TOKEN_SUBPROTOCOL_PREFIX.length) || undefined;
}
