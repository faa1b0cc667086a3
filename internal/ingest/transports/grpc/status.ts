import { constants } from "node:http2";
import {
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import { asBimrideError, BimrideError, type ErrorCode, type RpcCode } from "../../../core/errors.ts";

/** Trailer that carries the code of the error vocabulary. */
export const CODE_TRAILER = "bimride-code";
/** Trailer that names the field at fault, where one is. */
export const FIELD_TRAILER = "bimride-field";

const STATUS: Record<RpcCode, status> = {
  invalid_argument: status.INVALID_ARGUMENT,
  unauthenticated: status.UNAUTHENTICATED,
  permission_denied: status.PERMISSION_DENIED,
  not_found: status.NOT_FOUND,
  already_exists: status.ALREADY_EXISTS,
  aborted: status.ABORTED,
  failed_precondition: status.FAILED_PRECONDITION,
  out_of_range: status.OUT_OF_RANGE,
  resource_exhausted: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  data_loss: status.DATA_LOSS,
  internal: status.INTERNAL,
};

export type RpcStatus = { code: status; details: string; metadata: Metadata };

/** The status that ends a call: the canonical code, `CODE: message` as details, code and field as trailers. */
export function statusOf(cause: unknown): RpcStatus {
  const error = asBimrideError(cause);
  const metadata = new Metadata();
  metadata.set(CODE_TRAILER, error.code);
  if (error.field) metadata.set(FIELD_TRAILER, error.field);
  return { code: STATUS[error.rpcCode], details: `${error.code}: ${error.message}`, metadata };
}

/** What grpc-js refuses by itself, in the vocabulary's words; undefined where its own status says it well enough. */
function translated(code: status | undefined): ErrorCode | undefined {
  // It answers RESOURCE_EXHAUSTED only to messages over the limit, and INTERNAL to frames it can't decompress and to
  // deadlines it can't read.
  if (code === status.RESOURCE_EXHAUSTED) return "MESSAGE_TOO_LARGE";
  return code === status.INTERNAL || code === status.UNIMPLEMENTED ? "MESSAGE_INVALID" : undefined;
}

/** A stream of HTTP/2 as far as it is needed here. */
type Resettable = { close(code: number): void };

/** Resets of calls by their metadata, the one object that both an interceptor and a handler see. */
export type Resets = WeakMap<Metadata, () => void>;

/**
 * Stands between grpc-js and the wire: gives the statuses that grpc-js makes by itself (message too large, bytes that
 * don't decompress) our codes and counts them, and keeps a way to reset a call whose client reads nothing: grpc-js
 * itself waits for such a client for ever.
 */
export function statusInterceptor(refused: (error: BimrideError) => void, resets: Resets): ServerInterceptor {
  return (_method, call) => {
    const send = call.sendStatus.bind(call);
    let told = false;
    call.sendStatus = (sent) => {
      const code = sent.metadata?.get(CODE_TRAILER).length ? undefined : translated(sent.code);
      if (!code) return send(sent);
      const error = new BimrideError(code);
      // grpc-js says it again for every frame of a message that is too large.
      if (!told) refused(error);
      told = true;
      send(statusOf(error));
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, deliver) {
            resets.set(metadata, () => http2StreamOf(call)?.close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
            deliver(metadata);
          },
        }),
    });
  };
}

/** The HTTP/2 stream under a call. grpc-js has no public way to it, hence the guarded look. */
function http2StreamOf(call: ServerInterceptingCallInterface): Resettable | undefined {
  const stream: unknown = Reflect.get(call, "stream");
  const known = typeof stream === "object" && stream !== null && "close" in stream;
  return known ? (stream as Resettable) : undefined;
}
