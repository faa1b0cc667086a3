import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import {
  type PublishBatchRequest,
  PublishBatchRequestSchema,
  type PublishBatchResponse,
  PublishBatchResponseSchema,
  type PublishRequest,
  PublishRequestSchema,
  type PublishResponse,
  PublishResponseSchema,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import {
  BatchFailure,
  CONNECTION_LOST,
  type DriverStream,
  type DriverTransport,
  type OpenStream,
} from "../transport.ts";

const SERVICE = "/bimride.tracking.v1.IngestService";
/** Trailer that carries the code of the error vocabulary. */
const CODE_TRAILER = "bimride-code";
// A connection of its own, as every phone has: links of one process would else share one.
const CHANNEL = { "grpc.use_local_subchannel_pool": 1 };

const writeRequest = (message: PublishRequest) => Buffer.from(toBinary(PublishRequestSchema, message));
const readResponse = (bytes: Buffer) => fromBinary(PublishResponseSchema, bytes);
const writeBatch = (message: PublishBatchRequest) =>
  Buffer.from(toBinary(PublishBatchRequestSchema, message));
const readBatch = (bytes: Buffer) => fromBinary(PublishBatchResponseSchema, bytes);

/**
 * A driver's session over gRPC, for Node.
 * @param address host:port of a gateway
 * @param channelCredentials how the connection is secured; in the clear by default
 * @param channelOptions options of grpc-js, beside those that this transport sets
 */
export function grpcTransport(
  address: string,
  channelCredentials: ChannelCredentials = credentials.createInsecure(),
  channelOptions: ChannelOptions = {},
): DriverTransport {
  const open = () => new Client(address, channelCredentials, { ...CHANNEL, ...channelOptions });
  return {
    name: "grpc",
    isStream: true,
    open: (options) => openStream(open(), options),
    async publishBatch(request, token, signal) {
      const client = open();
      try {
        return await callBatch(client, request, token, signal);
      } finally {
        client.close();
      }
    },
  };
}

function openStream(client: Client, { token, onMessage, onEnd }: OpenStream): DriverStream {
  const path = `${SERVICE}/Publish`;
  const stream = client.makeBidiStreamRequest(path, writeRequest, readResponse, bearer(token));
  let isOver = false;
  const end = (code: string) => {
    if (isOver) return;
    isOver = true;
    client.close();
    onEnd({ code });
  };
  stream.on("data", (response: PublishResponse) => {
    if (!isOver) onMessage(response);
  });
  stream.on("error", (error: ServiceError) => end(codeOf(error)));
  stream.on("end", () => end(""));
  return {
    send(message) {
      if (!isOver) stream.write(message);
    },
    close: () => stream.end(),
    cut() {
      stream.cancel();
      queueMicrotask(() => end(CONNECTION_LOST));
    },
  };
}

function callBatch(
  client: Client,
  request: PublishBatchRequest,
  token: string,
  signal: AbortSignal,
): Promise<PublishBatchResponse> {
  return new Promise((resolve, reject) => {
    const path = `${SERVICE}/PublishBatch`;
    const call = client.makeUnaryRequest(
      path,
      writeBatch,
      readBatch,
      request,
      bearer(token),
      (error, answer) => {
        signal.removeEventListener("abort", cancel);
        if (answer) resolve(answer);
        else reject(new BatchFailure(error ? codeOf(error) : CONNECTION_LOST, { cause: error }));
      },
    );
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
  });
}

function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

function codeOf(error: ServiceError): string {
  return error.metadata?.get(CODE_TRAILER)[0]?.toString() ?? CONNECTION_LOST;
}
