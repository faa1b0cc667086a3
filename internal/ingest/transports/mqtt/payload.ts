import type { ClientMessage, ServerMessage } from "../../messages.ts";
import { jsonCodec, protobufCodec } from "../codec.ts";

const BRACE = "{".charCodeAt(0);
/** Space, tab, line feed, carriage return. */
const SPACES = [0x20, 0x09, 0x0a, 0x0d];

/** True for JSON: no protobuf message of ours begins with a brace. */
function isJson(payload: Uint8Array): boolean {
  return payload.find((byte) => !SPACES.includes(byte)) === BRACE;
}

/** What is in payloads: JSON or protobuf, as each says itself; answers go out as the client's last message came. */
export class Payloads {
  readonly #json;
  readonly #protobuf;
  #answersInJson = true;

  constructor(maxFixesPerMessage: number) {
    this.#json = jsonCodec(maxFixesPerMessage);
    this.#protobuf = protobufCodec(maxFixesPerMessage);
  }

  /** Never throws: what is no message comes back as undecodable. */
  decode(payload: Buffer): ClientMessage {
    this.#answersInJson = isJson(payload);
    return this.#answersInJson ? this.#json.decode(payload.toString("utf8")) : this.#protobuf.decode(payload);
  }

  encode(message: ServerMessage): Uint8Array {
    return this.#answersInJson ? Buffer.from(this.#json.encode(message)) : this.#protobuf.encode(message);
  }
}
