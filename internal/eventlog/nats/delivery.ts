const NANOS_DIGITS_OF_MS = 6;

/** What the reply subject of a delivered message tells of it. */
export type Delivery = {
  /** Place in the stream. */
  streamSequence: number;
  /** Place among what this consumer got, from 1 without holes. */
  consumerSequence: number;
  /** When the server stored it, milliseconds since 1970. */
  loggedAtMs: number;
};

/**
 * Reads `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time ns>.<pending>`, with
 * `<domain>.<account>` before the stream and a random token at the end in its newer form.
 * @param into filled and returned, so that reading a message makes no object
 */
export function readDelivery(reply: string, into: Delivery): Delivery {
  const tokens = reply.split(".");
  const shift = tokens.length === 9 ? 0 : 2;
  if (tokens.length < 9 + shift || tokens[1] !== "ACK") throw new RangeError("not a delivery of JetStream");
  into.streamSequence = Number(tokens[5 + shift]);
  into.consumerSequence = Number(tokens[6 + shift]);
  // Nanoseconds don't fit a number.
  into.loggedAtMs = Number(tokens[7 + shift]!.slice(0, -NANOS_DIGITS_OF_MS));
  return into;
}
