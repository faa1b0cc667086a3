import { create } from "@bufbuild/protobuf";
import {
  type Hello,
  HelloSchema,
  type Problem,
  type PublishRequest,
  type PublishResponse,
} from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { TokenKeeper } from "../client/token-keeper.ts";
import type { WatchClock } from "../client/watch-clock.ts";
import { Actions } from "./actions.ts";
import type { Briefing } from "./briefing.ts";
import type { DriverConnectionReason } from "./connection.ts";
import { Device } from "./device.ts";
import { DriverLadder } from "./driver-ladder.ts";
import { DEFAULT_LINK_TIMES, type DriverOptions, defaultDriverTransports } from "./driver-options.ts";
import { Gateways } from "./gateways.ts";
import type { Journal } from "./journal.ts";
import { Link } from "./link.ts";
import type { Outbox } from "./outbox.ts";
import type { DriverTransport, DriverTransportName } from "./transport.ts";

export type UplinkOptions = {
  options: DriverOptions;
  clock: WatchClock;
  random: () => number;
  tokens: TokenKeeper;
  journal: Journal;
  briefing: Briefing;
  outbox: Outbox;
  onConnection(transport: DriverTransportName | undefined, reason: DriverConnectionReason): void;
  /** Another device took over, and can't be made to give way for so long. */
  onSuperseded(retryAfterMs: number): void;
  onProblem(problem: Problem): void;
};

/** The way to the gateways: opens links, and says who gets what comes down them. */
export class Uplink {
  readonly actions: Actions;
  readonly device: Device;
  readonly #options: UplinkOptions;
  readonly #gateways: Gateways;
  readonly #ladder: DriverLadder;
  #running: Promise<void> | undefined;
  #isOnline = true;
  #rests = false;
  #cancelDrain: (() => void) | undefined;

  constructor(options: UplinkOptions) {
    const { clock, random, tokens, journal, outbox, onConnection } = options;
    const { baseUrl, locate, transportsTo, openSocket } = options.options;
    this.#options = options;
    this.device = new Device(clock);
    this.actions = new Actions(clock);
    this.#gateways = new Gateways({
      known: { httpUrl: baseUrl, grpcAddress: "" },
      transportsTo: transportsTo ?? ((gateway) => defaultDriverTransports(gateway, openSocket)),
      locate,
      place: () => outbox.newest,
      region: () => journal.region,
    });
    this.#ladder = new DriverLadder({
      ...{ clock, random, tokens, onConnection },
      rungs: (token) => this.#gateways.rungs(token),
      mayConnect: () => this.#isOnline && !this.#rests,
      open: (transport, token) => this.#open(transport, token),
      onEnd: ({ heard }) => (heard ? this.#gateways.served() : this.#gateways.failed()),
    });
  }

  get isOnline(): boolean {
    return this.#isOnline;
  }

  start(): void {
    this.#running = this.#ladder.run();
  }

  /** A way to send batches without a stream, to the gateway in use. */
  async batchTransport(token: string): Promise<DriverTransport | undefined> {
    const rungs = await this.#gateways.rungs(token);
    return rungs.find(({ publishBatch }) => publishBatch !== undefined);
  }

  helloOf(sessionId: string): Hello {
    const { options, clock, journal, outbox } = this.#options;
    const place = outbox.newest;
    return create(HelloSchema, {
      sessionId,
      deviceId: options.deviceId ?? "",
      appVersion: options.appVersion ?? "",
      lastRegion: journal.region,
      deviceTimeMs: BigInt(Math.round(clock.now())),
      ...(place ? { position: { latitudeDeg: place.latDeg, longitudeDeg: place.lonDeg } } : {}),
      deviceState: this.device.forHello(),
    });
  }

  setOnline(isOnline: boolean): void {
    if (isOnline === this.#isOnline) return;
    this.#isOnline = isOnline;
    if (isOnline) {
      if (!this.#rests) this.#options.onConnection(undefined, "reconnecting");
      this.wake();
    } else {
      if (!this.#rests) this.#options.onConnection(undefined, "offline");
      this.#ladder.cut();
    }
  }

  wake(): void {
    this.#ladder.wake();
    this.#options.outbox.wake();
  }

  takeOver(): void {
    this.#rests = false;
    this.#options.onConnection(undefined, "starting");
    this.#options.outbox.startSession();
    this.#ladder.wake();
  }

  /** The session is another one now. */
  renew(): void {
    this.#ladder.renew();
  }

  async close(): Promise<void> {
    this.#cancelDrain?.();
    this.device.close();
    await this.#ladder.close();
    await this.#running;
    this.actions.close();
  }

  #open(transport: DriverTransport, token: string): Link {
    const { clock, tokens, journal, options } = this.#options;
    const link = new Link({
      ...{ transport, token, tokens, clock },
      times: { ...DEFAULT_LINK_TIMES, ...options.times },
      hello: () => this.helloOf(journal.sessionId),
      heartbeat: () => this.#heartbeat(),
      onReady: (ready) => this.#ready(ready),
      onMessage: (message, from) => this.#received(message, from),
    });
    void link.ended.then(({ code }) => this.#lost(link, code));
    return link;
  }

  #ready(link: Link): void {
    this.device.attach(link);
    this.actions.attach(link);
    this.#options.outbox.attach(link);
  }

  #lost(link: Link, code: string): void {
    this.device.detach(link);
    this.actions.detach(link);
    this.#options.outbox.detach(link);
    // Where the message itself did not get through any more.
    if (code === "SUPERSEDED") this.#rest("superseded", 0);
    else if (code === "SESSION_REVOKED") {
      this.#options.tokens.forget();
      this.#rest("revoked", 0);
    }
  }

  #received(message: PublishResponse["message"], link: Link): void {
    const { outbox, journal, briefing, onProblem } = this.#options;
    this.#ladder.heard();
    briefing.take(message);
    if (message.case === "welcome" && message.value.region !== "") journal.region = message.value.region;
    else if (message.case === "ack") outbox.acked(message.value, link);
    else if (message.case === "actionResult") this.actions.answered(message.value);
    else if (message.case === "superseded") this.#rest("superseded", message.value.retryAfterMs);
    else if (message.case === "drain") this.#drain(message.value.reconnectWithinMs);
    else if (message.case === "move") {
      journal.region = message.value.region;
      link.greet();
    } else if (message.case === "problem") {
      outbox.refused(message.value.batchId, link);
      onProblem(message.value);
    }
  }

  /** Something that is answered and changes nothing: a fix that is durable, else a Hello. */
  #heartbeat(): PublishRequest["message"] {
    const { outbox, journal } = this.#options;
    return outbox.repeat() ?? { case: "hello", value: this.helloOf(journal.sessionId) };
  }

  /** The session is over, and only the user can say that another one is to begin. */
  #rest(reason: "superseded" | "revoked", retryAfterMs: number): void {
    if (this.#rests) return;
    this.#rests = true;
    this.#options.onConnection(undefined, reason);
    this.#options.onSuperseded(retryAfterMs);
    this.#ladder.cut();
    this.#options.outbox.leaveSession();
  }

  /** Some time within what the gateway gives, so that its clients don't all come to the next one at once. */
  #drain(withinMs: number): void {
    const { clock, random } = this.#options;
    this.#cancelDrain?.();
    this.#cancelDrain = clock.after(random() * withinMs, () => this.#ladder.renew());
  }
}
