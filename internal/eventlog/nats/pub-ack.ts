import type { Msg } from "@nats-io/transport-node";

/** What the server says to a published entry. */
export type PubAck =
  | { kind: "stored"; sequence: number }
  /** Nobody holds the stream now: it has no leader, or the server just starts. */
  | { kind: "nobody" }
  | { kind: "refused"; code: number; description: string };

const DIGIT_0 = 48;
const DIGIT_9 = 57;
const NO_RESPONDERS = 503;
const decoder = new TextDecoder();

/**
 * Reads publish acknowledgements of one stream. The usual one, `{"stream":"LOG_eu1","seq":123}`, is read off its bytes;
 * everything else is parsed as JSON.
 */
export class PubAckReader {
  readonly #start: Uint8Array;

  constructor(stream: string) {
    this.#start = new TextEncoder().encode(`{"stream":${JSON.stringify(stream)},"seq":`);
  }

  read(message: Msg): PubAck {
    const { data } = message;
    const sequence = this.#sequence(data);
    if (sequence > 0) return { kind: "stored", sequence };
    if (data.length === 0) {
      const code = message.headers?.code ?? 0;
      return code === NO_RESPONDERS
        ? { kind: "nobody" }
        : { kind: "refused", code, description: "no answer" };
    }
    return parse(data);
  }

  /** 0 when the bytes are not the usual ones. */
  #sequence(data: Uint8Array): number {
    const start = this.#start;
    if (data.length <= start.length) return 0;
    // From the end: the names differ there first.
    for (let i = start.length - 1; i >= 0; i--) if (data[i] !== start[i]) return 0;
    let sequence = 0;
    for (let i = start.length; i < data.length; i++) {
      const digit = data[i]!;
      if (digit < DIGIT_0 || digit > DIGIT_9) break;
      sequence = sequence * 10 + digit - DIGIT_0;
    }
    return sequence;
  }
}

function parse(data: Uint8Array): PubAck {
  const { seq, error } = JSON.parse(decoder.decode(data)) as {
    seq?: number;
    error?: { err_code?: number; description?: string };
  };
  if (!error && seq) return { kind: "stored", sequence: seq };
  return { kind: "refused", code: error?.err_code ?? 0, description: error?.description ?? "no sequence" };
}
