import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type Hello,
  type PublishBatchRequest,
  PublishBatchRequestSchema,
  type PublishBatchResponse,
  PublishBatchResponseSchema,
  type PublishRequest,
  type PublishResponse,
  PublishResponseSchema,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import { BatchFailure, CONNECTION_LOST, type DriverTransport, type OpenStream } from "../transport.ts";

const FIXES_PATH = "/v1/fixes";
const PROTOBUF = "application/x-protobuf";
const REQUEST_TIMEOUT_MS = 15_000;

/** A driver's fixes as batches over HTTPS (POST /v1/fixes), for where no connection can be held. */
export function httpTransport(
  baseUrl: string,
  fetchLike: typeof fetch = (input, init) => fetch(input, init),
): DriverTransport {
  const url = new URL(FIXES_PATH, baseUrl).href;
  const publishBatch = (request: PublishBatchRequest, token: string, signal: AbortSignal) =>
    post(fetchLike, url, request, token, signal);
  return {
    name: "http",
    isStream: false,
    publishBatch,
    open: (options) => batchStream(options, publishBatch),
  };
}

async function post(
  fetchLike: typeof fetch,
  url: string,
  request: PublishBatchRequest,
  token: string,
  signal: AbortSignal,
): Promise<PublishBatchResponse> {
  let response: Response;
  let body: Uint8Array;
  try {
    response = await fetchLike(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": PROTOBUF, accept: PROTOBUF },
      body: toBinary(PublishBatchRequestSchema, request) as Uint8Array<ArrayBuffer>,
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      cache: "no-store",
    });
    body = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new BatchFailure(CONNECTION_LOST, { cause });
  }
  if (!response.ok) throw new BatchFailure(errorCodeOf(body));
  try {
    return fromBinary(PublishBatchResponseSchema, body);
  } catch (cause) {
    throw new BatchFailure(CONNECTION_LOST, { cause });
  }
}

function errorCodeOf(body: Uint8Array): string {
  try {
    const { code }: { code?: unknown } = JSON.parse(new TextDecoder().decode(body));
    return typeof code === "string" ? code : CONNECTION_LOST;
  } catch {
    // Not one of our gateways: something in between answered.
    return CONNECTION_LOST;
  }
}

/** Calls that look like a stream: Hello is kept and goes out with every batch. Anything but batches is not sent. */
export function batchStream(
  { token, onMessage, onEnd }: OpenStream,
  publishBatch: NonNullable<DriverTransport["publishBatch"]>,
) {
  const ending = new AbortController();
  let hello: Hello | undefined;
  let bearer = token;
  let queue: Promise<void> = Promise.resolve();
  let isOver = false;
  const end = (code: string) => {
    if (isOver) return;
    isOver = true;
    ending.abort();
    onEnd({ code });
  };
  const tell = (message: PublishResponse["message"]) => {
    if (!isOver) onMessage(create(PublishResponseSchema, { message }));
  };
  async function call({ message }: PublishRequest): Promise<void> {
    if (isOver || message.case !== "fixes") return;
    const request = create(PublishBatchRequestSchema, { hello, fixes: message.value });
    try {
      const { ack, wantedRate, region } = await publishBatch(request, bearer, ending.signal);
      tell(
        create(PublishResponseSchema, { message: { case: "welcome", value: { region, wantedRate } } })
          .message,
      );
      if (ack) tell({ case: "ack", value: ack });
    } catch (error) {
      end(error instanceof BatchFailure ? error.code : CONNECTION_LOST);
    }
  }
  return {
    send(message: PublishRequest) {
      if (message.message.case === "hello") hello = message.message.value;
      else if (message.message.case === "tokenRefresh") bearer = message.message.value.token;
      else queue = queue.then(() => call(message));
    },
    close: () => void queue.then(() => end("")),
    cut: () => queueMicrotask(() => end(CONNECTION_LOST)),
  };
}
