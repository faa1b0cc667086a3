import type { Metadata, ServerDuplexStream, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { bearerToken } from "../../../auth/jwt.ts";
import { BimrideError } from "../../../core/errors.ts";
import type { IngestGateway } from "../../gateway.ts";
import type { ServerMessage } from "../../messages.ts";
import type { IngestSession } from "../../session.ts";
import { traceparentOf } from "../../trace.ts";
import { decodeBatchCall, encodeBatchAnswer, protobufCodec, type StreamCodec } from "../codec.ts";
import { type Resets, statusOf } from "./status.ts";

/** After a stream was ended, a client that does not read its end is cut off. */
const END_TIMEOUT_MS = 5_000;
/** A client that cancels may end its side first, as Node's do: an end that is alone for so long is a goodbye. */
const GOODBYE_DOUBT_MS = 250;

type Call = ServerDuplexStream<Buffer, Uint8Array>;

/** Handler of the bidi stream. */
export function publishHandler(gateway: IngestGateway, resets: Resets): (call: Call) => void {
  const codec = protobufCodec(gateway.limits.maxFixesPerMessage);
  return (call) => {
    const stream = new PublishStream(gateway, call, codec, resets.get(call.metadata));
    stream.start().catch((error: unknown) => stream.end(gateway.refusal("grpc", error)));
  };
}

/** One call of Publish: bytes to messages and back, bounded. */
class PublishStream {
  readonly #gateway: IngestGateway;
  readonly #call: Call;
  readonly #codec: StreamCodec<Uint8Array>;
  readonly #reset: (() => void) | undefined;
  #session: IngestSession | undefined;
  #unreadBytes = 0;
  #ended = false;
  #gone = false;

  constructor(
    gateway: IngestGateway,
    call: Call,
    codec: StreamCodec<Uint8Array>,
    reset: (() => void) | undefined,
  ) {
    this.#gateway = gateway;
    this.#call = call;
    this.#codec = codec;
    this.#reset = reset;
  }

  /** Messages stay in the transport until the token is checked. Rejects with why the call is refused. */
  async start(): Promise<void> {
    const call = this.#call;
    call.on("cancelled", () => this.#lost());
    call.on("close", () => this.#lost());
    const { metadata } = call;
    const principal = await this.#gateway.authenticate(bearerToken(authorizationOf(metadata)));
    if (this.#gone) return;
    const session = this.#gateway.openSession({
      principal,
      transport: "grpc",
      traceparent: traceparentOf(metadata.get("traceparent")[0]),
      port: { send: (message) => this.#send(message), end: (error) => this.end(error) },
    });
    this.#session = session;
    call.on("data", (bytes: Buffer) => {
      this.#gateway.events.received("grpc", bytes.byteLength);
      session.receive(this.#codec.decode(bytes));
    });
    call.on("end", () => this.#gateway.ioClock.after(GOODBYE_DOUBT_MS, () => session.finish()));
  }

  /** Ends the call once; a client that does not take the end is reset. */
  end(error: BimrideError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    const cut = this.#gateway.ioClock.after(END_TIMEOUT_MS, () => this.#reset?.());
    this.#call.once("close", cut);
    this.#call.once("cancelled", cut);
    // What still comes is read and dropped, or the client's window would stay shut and its end unread.
    this.#call.resume();
    if (error) this.#call.emit("error", statusOf(error));
    else this.#call.end();
    if (error?.code === "CLIENT_TOO_SLOW") this.#reset?.();
  }

  #send(message: ServerMessage): void {
    if (this.#ended || this.#gone) return;
    const bytes = this.#codec.encode(message);
    this.#unreadBytes += bytes.byteLength;
    this.#call.write(bytes, () => {
      this.#unreadBytes -= bytes.byteLength;
    });
    if (this.#unreadBytes <= this.#gateway.limits.maxUnreadAnswerBytes) return;
    const error = this.#gateway.refusal("grpc", new BimrideError("CLIENT_TOO_SLOW"));
    this.end(error);
    this.#lost();
  }

  #lost(): void {
    this.#gone = true;
    this.#session?.closed();
  }
}

/** Handler of the batch call. */
export function publishBatchHandler(
  gateway: IngestGateway,
): (call: ServerUnaryCall<Buffer, Uint8Array>, answer: sendUnaryData<Uint8Array>) => void {
  const publish = async ({ metadata, request }: ServerUnaryCall<Buffer, Uint8Array>) => {
    gateway.events.received("grpc", request.byteLength);
    const principal = await gateway.authenticate(bearerToken(authorizationOf(metadata)));
    const traceparent = traceparentOf(metadata.get("traceparent")[0]);
    const { hello, batch } = decodeBatchCall(request, gateway.limits.maxFixesPerBatch);
    const call = { principal, transport: "grpc", traceparent } as const;
    return encodeBatchAnswer(await gateway.publishBatch(call, hello, batch));
  };
  return (call, answer) => {
    publish(call).then(
      (response) => answer(null, response),
      (error: unknown) => answer(statusOf(gateway.refusal("grpc", error))),
    );
  };
}

function authorizationOf(metadata: Metadata): string | undefined {
  return metadata.get("authorization")[0]?.toString();
}
