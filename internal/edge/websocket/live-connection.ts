import { fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { RawData, WebSocket } from "ws";
import { TokenRefreshSchema } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import {
  type WatchTripsRequest,
  WatchTripsRequestSchema,
  type WatchTripsResponse,
  WatchTripsResponseSchema,
} from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Principal } from "../../auth/principal.ts";
import { asBimrideError, BimrideError } from "../../core/errors.ts";
import type { EdgeContext } from "../context.ts";
import { watchTrips } from "../live/watch-trips.ts";
import { JSON_SUBPROTOCOL, PROTOBUF_SUBPROTOCOL } from "./subprotocol.ts";

/**
 * Close codes of the live WebSocket. 1000: no trip of the watch can be watched any more. 1009: a message over
 * maxMessageBytes. 1002, 1003, 1007: frames that are no WebSocket. Every other end is 4000 plus the HTTP status of its error, with the error's code as the reason, as on
 * the ingest WebSocket: 4400 MESSAGE_INVALID, FIELD_INVALID, WATCH_TOO_MANY_TRIPS, 4401 TOKEN_MISSING, TOKEN_INVALID,
 * TOKEN_EXPIRED, SESSION_REVOKED, 4429 WATCH_TOO_MANY, RATE_LIMITED, 4503 DRAINING, STORE_UNAVAILABLE, 4504 IDLE_TIMEOUT.
 */
const NORMAL = 1000;
const APPLICATION = 4000;
/** A client that does not answer the close is cut off. */
const END_TIMEOUT_MS = 5_000;
/** Messages after the first may only refresh the token; more of them than this at once end the stream. */
const MAX_WAITING_REFRESHES = 4;

/** One WebSocket that watches trips: the semantics of WatchTrips, frame by frame. */
export class LiveConnection {
  readonly #edge: EdgeContext;
  readonly #socket: WebSocket;
  readonly #gone = new AbortController();
  #alive = true;
  #watchId = "";
  #refreshes = 0;

  constructor(edge: EdgeContext, socket: WebSocket) {
    this.#edge = edge;
    this.#socket = socket;
  }

  /** Runs until the watch or the connection ends. The first message is the WatchTripsRequest. */
  async run(token: string | undefined): Promise<void> {
    const socket = this.#socket;
    const first = Promise.withResolvers<RawData>();
    // Before anything is awaited: a message that comes at once must find its listener.
    socket.once("message", (data) => {
      first.resolve(data);
      socket.on("message", (refresh) => this.#refreshed(refresh));
    });
    socket.on("close", () => this.#gone.abort());
    socket.removeAllListeners("error");
    socket.on("error", () => this.#gone.abort());
    socket.on("pong", () => {
      this.#alive = true;
    });
    try {
      if (socket.protocol !== JSON_SUBPROTOCOL && socket.protocol !== PROTOBUF_SUBPROTOCOL) {
        throw new BimrideError("MESSAGE_INVALID", `Offer ${PROTOBUF_SUBPROTOCOL} or ${JSON_SUBPROTOCOL}.`);
      }
      const principal = await this.#edge.authenticator.authenticate(token);
      const request = this.#requestOf(await this.#inTime(first.promise));
      if (request) await this.#watch(principal, request);
      this.#close(NORMAL, "");
    } catch (cause) {
      this.#fail(cause);
    }
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

  async #watch(principal: Principal, request: WatchTripsRequest): Promise<void> {
    for await (const message of watchTrips(this.#edge, principal, request, this.#gone.signal, "websocket")) {
      if (message.message.case === "started") {
        this.#watchId = message.message.value.watchId;
      }
      await this.#send(message);
    }
  }

  /** Resolves once the frame has left this process, so that a slow client holds back what comes next. */
  #send(message: WatchTripsResponse): Promise<void> {
    const frame = this.#json
      ? toJsonString(WatchTripsResponseSchema, message)
      : toBinary(WatchTripsResponseSchema, message);
    this.#edge.events.bytesSent(frame.length);
    return new Promise((resolve) => {
      if (this.#gone.signal.aborted) return resolve();
      const done = () => {
        this.#gone.signal.removeEventListener("abort", done);
        resolve();
      };
      this.#gone.signal.addEventListener("abort", done, { once: true });
      // A failed write closes the socket, which aborts the watch: nothing else to do with the error here.
      this.#socket.send(frame, done);
    });
  }

  /** The first message; undefined when the client is gone. Throws IDLE_TIMEOUT when it does not come. */
  #inTime(first: Promise<RawData>): Promise<RawData | undefined> {
    const { clock, limits } = this.#edge;
    return new Promise((resolve, reject) => {
      const cancel = clock.after(limits.helloTimeoutMs, () => reject(new BimrideError("IDLE_TIMEOUT")));
      const gone = () => {
        cancel();
        resolve(undefined);
      };
      if (this.#gone.signal.aborted) return gone();
      this.#gone.signal.addEventListener("abort", gone, { once: true });
      first.then((data) => {
        cancel();
        this.#gone.signal.removeEventListener("abort", gone);
        resolve(data);
      }, reject);
    });
  }

  #requestOf(data: RawData | undefined): WatchTripsRequest | undefined {
    if (data === undefined) return undefined;
    return decoded(() =>
      this.#json
        ? fromJsonString(WatchTripsRequestSchema, String(data), { ignoreUnknownFields: true })
        : fromBinary(WatchTripsRequestSchema, data as Buffer),
    );
  }

  /** A later message: a TokenRefresh of the same user. */
  #refreshed(data: RawData): void {
    this.#alive = true;
    const refresh = async () => {
      if (++this.#refreshes > MAX_WAITING_REFRESHES) throw new BimrideError("RATE_LIMITED");
      const { token } = decoded(() =>
        this.#json
          ? fromJsonString(TokenRefreshSchema, String(data), { ignoreUnknownFields: true })
          : fromBinary(TokenRefreshSchema, data as Buffer),
      );
      const principal = await this.#edge.authenticator.authenticate(token);
      this.#edge.watches.refresh(this.#watchId, principal);
      this.#refreshes--;
    };
    refresh().catch((cause: unknown) => this.#fail(cause));
  }

  get #json(): boolean {
    return this.#socket.protocol === JSON_SUBPROTOCOL;
  }

  #fail(cause: unknown): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const error = asBimrideError(cause);
    this.#edge.events.failed(error, "websocket /v1/live");
    this.#close(APPLICATION + error.httpStatus, error.code);
  }

  #close(code: number, reason: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const cut = this.#edge.clock.after(END_TIMEOUT_MS, () => this.#socket.terminate());
    this.#socket.once("close", cut);
    this.#socket.close(code, reason);
    this.#gone.abort();
  }
}

function decoded<Message>(decode: () => Message): Message {
  try {
    return decode();
  } catch (cause) {
    throw new BimrideError("MESSAGE_INVALID", undefined, { cause });
  }
}
