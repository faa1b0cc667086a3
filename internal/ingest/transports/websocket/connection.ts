import type { WebSocket } from "ws";
import { BimrideError } from "../../../core/errors.ts";
import type { IngestGateway } from "../../gateway.ts";
import type { ClientMessage, ServerMessage } from "../../messages.ts";
import type { IngestSession } from "../../session.ts";
import { jsonCodec, protobufCodec } from "../codec.ts";
import { JSON_SUBPROTOCOL, PROTOBUF_SUBPROTOCOL } from "./subprotocol.ts";

/**
 * Close codes of the ingest WebSocket. 1000: the client closed, or another stream of the session replaced this one.
 * 1009: a message over maxMessageBytes. 1002, 1003, 1007: frames that are no WebSocket. Every other end is 4000 plus the
 * HTTP status of its error, with the error's code as the reason: 4400 MESSAGE_INVALID (no known subprotocol),
 * 4401 TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, 4403 ROLE_FORBIDDEN, PARTY_MISMATCH, 4409 SUPERSEDED,
 * 4412 HELLO_EXPECTED, 4429 CLIENT_TOO_SLOW, 4503 DRAINING, OVERLOADED, 4504 IDLE_TIMEOUT.
 */
const NORMAL = 1000;
/** What a browser says when the page is left. */
const GOING_AWAY = 1001;
const TOO_BIG = 1009;
const APPLICATION = 4000;
/** A client that does not answer the close is cut off. */
const END_TIMEOUT_MS = 5_000;
/** How `ws` calls what is wrong with frames, and a message over its limit. */
const WS_ERROR_PREFIX = "WS_ERR_";
const WS_TOO_BIG = "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";

/** The close code of an end. */
export function closeCodeOf(error: BimrideError | undefined): number {
  if (!error) return NORMAL;
  return error.code === "MESSAGE_TOO_LARGE" ? TOO_BIG : APPLICATION + error.httpStatus;
}

type Frames = {
  decode(data: Buffer, isBinary: boolean): ClientMessage;
  encode(m: ServerMessage): string | Uint8Array;
};

/** One WebSocket: frames to messages and back, bounded. */
export class IngestConnection {
  readonly #gateway: IngestGateway;
  readonly #socket: WebSocket;
  readonly #frames: Frames;
  #session: IngestSession | undefined;
  #alive = true;
  #ended = false;
  #gone = false;

  constructor(gateway: IngestGateway, socket: WebSocket) {
    this.#gateway = gateway;
    this.#socket = socket;
    this.#frames = framesOf(socket.protocol, gateway.limits.maxFixesPerMessage);
  }

  /** Frames stay in the transport until the token is checked. */
  async start(token: string | undefined, traceparent: string): Promise<void> {
    const socket = this.#socket;
    socket.pause();
    socket.on("close", (code) => this.#lost(code === NORMAL || code === GOING_AWAY));
    // The route's plugin would cut the socket off before the close code of `ws` gets out.
    socket.removeAllListeners("error");
    socket.on("error", (error: Error & { code?: string }) => this.#broken(error));
    try {
      if (socket.protocol !== JSON_SUBPROTOCOL && socket.protocol !== PROTOBUF_SUBPROTOCOL)
        throw new BimrideError("MESSAGE_INVALID", `Offer ${PROTOBUF_SUBPROTOCOL} or ${JSON_SUBPROTOCOL}.`);
      const principal = await this.#gateway.authenticate(token);
      if (this.#gone) return;
      const port = {
        send: (message: ServerMessage) => this.#send(message),
        end: (error: BimrideError | undefined) => this.#end(error),
      };
      this.#session = this.#gateway.openSession({ principal, transport: "websocket", traceparent, port });
    } catch (cause) {
      if (!this.#gone) this.#refuse(this.#gateway.refusal("websocket", cause));
      return;
    }
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#received(data, isBinary));
    socket.on("pong", () => {
      this.#alive = true;
    });
    socket.resume();
  }

  /** Called periodically: cuts a client off that gave no sign of life since the last call, and asks for the next. */
  checkAlive(): void {
    if (!this.#alive) {
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }

  #received(data: Buffer, isBinary: boolean): void {
    this.#alive = true;
    const { events, limits } = this.#gateway;
    events.received("websocket", data.byteLength);
    // The server's own limit may be wider: it is set for all its routes together.
    if (data.byteLength > limits.maxMessageBytes) this.#session?.abort(new BimrideError("MESSAGE_TOO_LARGE"));
    else this.#session?.receive(this.#frames.decode(data, isBinary));
  }

  #send(message: ServerMessage): void {
    if (this.#ended || this.#gone) return;
    this.#socket.send(this.#frames.encode(message));
    if (this.#socket.bufferedAmount <= this.#gateway.limits.maxUnreadAnswerBytes) return;
    this.#end(this.#gateway.refusal("websocket", new BimrideError("CLIENT_TOO_SLOW")));
    this.#lost();
  }

  #refuse(error: BimrideError): void {
    const { code, message, field, retryable } = error;
    this.#send({ kind: "problem", code, message, field, batchId: 0, retryable });
    this.#end(error);
    // Paused, the client's answer to the close would stay unread.
    this.#socket.resume();
  }

  #end(error: BimrideError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    const cut = this.#gateway.ioClock.after(END_TIMEOUT_MS, () => this.#socket.terminate());
    this.#socket.once("close", cut);
    this.#socket.close(closeCodeOf(error), error?.code ?? "");
  }

  /** Only what `ws` found wrong with the frames is the client's doing; a connection that broke is not. */
  #broken(error: Error & { code?: string }): void {
    if (error.code?.startsWith(WS_ERROR_PREFIX)) {
      const code = error.code === WS_TOO_BIG ? "MESSAGE_TOO_LARGE" : "MESSAGE_INVALID";
      this.#gateway.refusal("websocket", new BimrideError(code, undefined, { cause: error }));
    }
    this.#lost();
  }

  #lost(saidGoodbye = false): void {
    this.#gone = true;
    this.#session?.closed(saidGoodbye);
  }
}

function framesOf(subprotocol: string, maxFixes: number): Frames {
  const wrongFrame = (): ClientMessage => ({
    kind: "undecodable",
    error: new BimrideError("MESSAGE_INVALID", "The frame is of the other kind than the subprotocol."),
    batchId: 0,
  });
  if (subprotocol === JSON_SUBPROTOCOL) {
    const codec = jsonCodec(maxFixes);
    return {
      decode: (data, isBinary) => (isBinary ? wrongFrame() : codec.decode(data.toString("utf8"))),
      encode: (message) => codec.encode(message),
    };
  }
  const codec = protobufCodec(maxFixes);
  return {
    decode: (data, isBinary) => (isBinary ? codec.decode(data) : wrongFrame()),
    encode: (message) => codec.encode(message),
  };
}
