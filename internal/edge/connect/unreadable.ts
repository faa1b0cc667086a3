import {
  type ConnectRouter,
  type ContextKey,
  type ContextValues,
  createContextKey,
  createContextValues,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { BimrideError } from "../../core/errors.ts";

/** How far a call came: through the gate, to its method. What fails in between is a request that could not be read. */
type Progress = { admitted: boolean; reached: boolean; refuse: BimrideError | undefined };

const PROGRESS: ContextKey<Progress | undefined> = createContextKey<Progress | undefined>(undefined);

export function progressOf(values: ContextValues): Progress | undefined {
  return values.get(PROGRESS);
}

/**
 * Connect calls a request message that is no protobuf an internal error, which it is not: here such calls are answered
 * with MESSAGE_INVALID, or MESSAGE_TOO_LARGE, in the form of the call's protocol. To get that form right, the handler runs
 * again with a gate that refuses.
 */
export function answerUnreadable(router: ConnectRouter, maxMessageBytes: number): void {
  router.handlers.forEach((handler, i) => {
    router.handlers[i] = Object.assign(
      (request: UniversalServerRequest) => answer(handler, request, maxMessageBytes),
      handler,
    );
  });
}

async function answer(handler: UniversalHandler, request: UniversalServerRequest, maxMessageBytes: number) {
  const progress: Progress = { admitted: false, reached: false, refuse: undefined };
  const contextValues = createContextValues().set(PROGRESS, progress);
  const counted = { bytes: 0 };
  const response = await handler({ ...request, contextValues, body: counting(request.body, counted) });
  if (!progress.admitted || progress.reached) return response;

  const announced = Number(request.header.get("content-length"));
  const tooLarge = counted.bytes > maxMessageBytes || announced > maxMessageBytes;
  progress.refuse = new BimrideError(tooLarge ? "MESSAGE_TOO_LARGE" : "MESSAGE_INVALID");
  return handler({ ...request, contextValues, body: nothing() });
}

function counting(
  body: UniversalServerRequest["body"],
  counted: { bytes: number },
): UniversalServerRequest["body"] {
  return isBytes(body) ? count(body, counted) : body;
}

function isBytes(body: UniversalServerRequest["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

async function* count(
  body: AsyncIterable<Uint8Array>,
  counted: { bytes: number },
): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    counted.bytes += piece.byteLength;
    yield piece;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
