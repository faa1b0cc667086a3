import { create } from "@bufbuild/protobuf";
import { channelOptions, channelTrust } from "../../demo/client-trust.ts";
import {
  type Ack,
  type Assignment,
  PublishRequestSchema,
  type PublishResponse,
  type Welcome,
} from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { Fix } from "../../internal/core/fix.ts";
import type { ClientTrust } from "../../internal/core/tls.ts";
import { grpcTransport } from "../../web/driver-client/grpc/grpc.ts";
import { toWire } from "../../web/driver-client/position.ts";
import type { DriverStream } from "../../web/driver-client/transport.ts";

export type DriverLinkOptions = {
  /** host:port of a gateway. */
  address: string;
  /** What to believe of a gateway with TLS; absent without TLS. */
  trust?: ClientTrust;
  token: string;
  sessionId: string;
  /** Region that the last link of the session was told; empty at first. */
  lastRegion?: string;
  /** Device clock, milliseconds since 1970. */
  now(): number;
  /** Told of every assignment, the one in Welcome included. */
  onAssignment?(assignment: Assignment): void;
  /** Told of Acks without a batch: fixes that were BUFFERED are ACCEPTED now. */
  onLaterAck?(ack: Ack): void;
};

type Message = NonNullable<Parameters<typeof create<typeof PublishRequestSchema>>[1]>["message"];

/**
 * A driver's gRPC stream as measurements need it: says hello, again where it is told to move, sends what it is given when it is
 * given it, and gives each batch its Ack. Keeping fixes and reconnecting is its user's business; the driver library does both.
 */
export class DriverLink {
  readonly #options: DriverLinkOptions;
  readonly #stream: DriverStream;
  readonly #acks = new Map<number, { resolve(ack: Ack): void; reject(error: Error): void }>();
  readonly #welcome = Promise.withResolvers<Welcome>();
  readonly #closed = Promise.withResolvers<Error | undefined>();
  #region: string;
  #batchId = 0;
  #saidGoodbye = false;
  #error: Error | undefined;

  constructor(options: DriverLinkOptions) {
    this.#options = options;
    this.#region = options.lastRegion ?? "";
    this.#welcome.promise.catch(() => {}); // the user may look at `closed` only
    this.#stream = grpcTransport(
      options.address,
      channelTrust(options.trust),
      channelOptions(options.trust),
    ).open({
      token: options.token,
      onMessage: (response) => this.#received(response),
      onEnd: ({ code }) => this.#end(code === "" ? undefined : new Error(`the stream ended: ${code}`)),
    });
  }

  /** Resolves when the stream is over, with the error it ended with. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise;
  }

  /** The region that the party belongs to, as last told: to be given to the next link of the session. */
  get region(): string {
    return this.#region;
  }

  /** Opens the session. */
  hello(position?: { latDeg: number; lonDeg: number }): Promise<Welcome> {
    this.#send({
      case: "hello",
      value: {
        sessionId: this.#options.sessionId,
        deviceId: "bimride-link",
        appVersion: "1",
        lastRegion: this.#region,
        deviceTimeMs: BigInt(Math.round(this.#options.now())),
        ...(position ? { position: { latitudeDeg: position.latDeg, longitudeDeg: position.lonDeg } } : {}),
      },
    });
    return this.#welcome.promise;
  }

  /** Sends a batch; resolves with its Ack, rejects when the stream ends first or the batch is refused. */
  send(fixes: readonly Fix[]): Promise<Ack> {
    if (this.#error) return Promise.reject(this.#error);
    const batchId = ++this.#batchId;
    const ack = new Promise<Ack>((resolve, reject) => this.#acks.set(batchId, { resolve, reject }));
    this.#send({
      case: "fixes",
      value: { fixes: fixes.map(toWire), batchId, deviceTimeMs: BigInt(Math.round(this.#options.now())) },
    });
    return ack;
  }

  /** Says goodbye. */
  close(): void {
    this.#saidGoodbye = true;
    this.#stream.close();
  }

  /** Cuts the connection without a word, as a tunnel does. */
  cut(): void {
    this.#stream.cut();
  }

  #send(message: Message): void {
    this.#stream.send(create(PublishRequestSchema, { message }));
  }

  #received({ message }: PublishResponse): void {
    if (message.case === "welcome") {
      this.#region = message.value.region;
      this.#welcome.resolve(message.value);
      if (message.value.assignment) this.#options.onAssignment?.(message.value.assignment);
    } else if (message.case === "move") {
      this.#region = message.value.region;
      if (!this.#saidGoodbye) void this.hello();
    } else if (message.case === "assignment") this.#options.onAssignment?.(message.value);
    else if (message.case === "ack" && message.value.batchId === 0) this.#options.onLaterAck?.(message.value);
    else if (message.case === "ack")
      this.#settle(message.value.batchId, (waiting) => waiting.resolve(message.value as Ack));
    else if (message.case === "problem") {
      const { batchId, code } = message.value;
      this.#settle(batchId, (waiting) => waiting.reject(new Error(`batch refused: ${code}`)));
    }
  }

  #settle(
    batchId: number,
    how: (waiting: { resolve(ack: Ack): void; reject(error: Error): void }) => void,
  ): void {
    const waiting = this.#acks.get(batchId);
    this.#acks.delete(batchId);
    if (waiting) how(waiting);
  }

  #end(error: Error | undefined): void {
    if (this.#error) return;
    this.#error = error ?? new Error("the stream is closed");
    for (const { reject } of this.#acks.values()) reject(this.#error);
    this.#acks.clear();
    this.#welcome.reject(this.#error);
    this.#closed.resolve(error);
  }
}
