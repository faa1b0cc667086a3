import { Aedes, type AuthenticateError, type Client, type ConnectPacket } from "aedes";
import { BimrideError } from "../../../core/errors.ts";
import type { IngestGateway } from "../../gateway.ts";
import { connackCodeOf } from "./connack.ts";
import { MqttConnection } from "./connection.ts";
import type { Wire } from "./wire.ts";

const CHECK_PERIOD_MS = 1_000;
/** A client that reads none of its answers for so long is ended. */
const UNREAD_TIMEOUT_MS = 10_000;
/** Timeouts of the library that are kept here instead. */
const NEVER_MS = 2 ** 31 - 1;
/** The library tells other brokers that it lives; there are none. */
const HEARTBEAT_MS = 3_600_000;
const MQTT_3_1_1 = 4;
const NO_VERSION = 0;

/**
 * The library as far as it is used: its parser and its side of CONNECT, SUBSCRIBE, PINGREQ and PUBREL. It routes nothing:
 * no message ever goes from one client to another.
 */
class RouteNothing extends Aedes {
  override publish = (...args: unknown[]) => callLast(args);
  override subscribe = (...args: unknown[]) => callLast(args);
  override unsubscribe = (...args: unknown[]) => callLast(args);
}

/** Not at once: the library's parser is not to be entered again from within. */
function callLast(args: unknown[]): void {
  const done = args.at(-1);
  if (typeof done === "function") setImmediate(() => done(null));
}

/** All MQTT connections of a gateway, whatever they come over. */
export class MqttBroker implements AsyncDisposable {
  readonly #gateway: IngestGateway;
  readonly #aedes: Aedes;
  readonly #unreadTimeoutMs: number;
  readonly #connections = new Map<Client, MqttConnection>();
  /** The newest of each party and client id. */
  readonly #byKey = new Map<string, MqttConnection>();
  readonly #stopChecks: () => void;
  #accepted = 0;

  private constructor(gateway: IngestGateway, unreadTimeoutMs: number) {
    this.#gateway = gateway;
    this.#unreadTimeoutMs = unreadTimeoutMs;
    this.#aedes = new RouteNothing({
      ...{ connectTimeout: NEVER_MS, heartbeatInterval: HEARTBEAT_MS, drainTimeout: NEVER_MS },
      maxInflightInbound: gateway.limits.maxUnackedPublishes,
      preConnect: (client, packet, done) => this.#preConnect(client, packet, done),
      authenticate: (client, _user, password, done) => {
        this.#admit(client, password).then(
          () => done(null, true),
          (error) => done(error, null),
        );
      },
      authorizePublish: (client, packet, done) => {
        const { topic, qos, messageId = 0 } = packet;
        const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
        // The library would acknowledge it now, or, were it kept waiting, read nothing more of the client.
        packet.qos = 0;
        packet.retain = false;
        if (client) this.#of(client)?.publish({ topic, qos, messageId, payload });
        done(null);
      },
      authorizeSubscribe: (client, subscription, done) =>
        done(null, this.#of(client)?.maySubscribe(subscription.topic) ? subscription : null),
    });
    this.#listen();
    this.#stopChecks = gateway.ioClock.every(CHECK_PERIOD_MS, () => this.#checkAll());
  }

  /** @param unreadTimeoutMs a client that reads none of its answers for so long is ended */
  static async start(gateway: IngestGateway, unreadTimeoutMs = UNREAD_TIMEOUT_MS): Promise<MqttBroker> {
    const broker = new MqttBroker(gateway, unreadTimeoutMs);
    await broker.#aedes.listen();
    return broker;
  }

  /** Connections that are open, those without a CONNECT included. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Takes a connection over. */
  accept(wire: Wire): void {
    const connection = new MqttConnection(this.#gateway, wire, () => {
      this.#connections.delete(client);
      if (this.#byKey.get(connection.key) === connection) this.#byKey.delete(connection.key);
    });
    const client = this.#aedes.handle(connection.stream);
    this.#connections.set(client, connection);
  }

  /** Cuts off what is still connected. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopChecks();
    for (const connection of this.#connections.values()) connection.cut();
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
  }

  #of(client: Client): MqttConnection | undefined {
    return this.#connections.get(client);
  }

  #preConnect(
    client: Client,
    packet: ConnectPacket,
    done: (error: Error | null, success: boolean) => void,
  ): void {
    const { clientId, keepalive = 0, will } = packet;
    if (packet.protocolVersion !== MQTT_3_1_1) {
      this.#gateway.refusal("mqtt", new BimrideError("MESSAGE_INVALID", "Only MQTT 3.1.1 is spoken here."));
      packet.protocolVersion = NO_VERSION as 3;
    }
    const payload = will && (Buffer.isBuffer(will.payload) ? will.payload : Buffer.from(will.payload));
    this.#of(client)?.announce({
      ...{ clientId, keepaliveS: keepalive },
      will: will && payload ? { topic: will.topic, payload } : undefined,
    });
    // Ids are the party's business, wills and silence the connection's: the library keeps nothing of them. Each connection
    // is a client of its own to it, so that nobody can end another's by its id.
    packet.clientId = String(++this.#accepted);
    packet.clean = true;
    packet.keepalive = 0;
    delete packet.will;
    done(null, true);
  }

  async #admit(client: Client, password: Buffer | undefined): Promise<void> {
    try {
      await this.#of(client)?.admit(password?.toString());
    } catch (error) {
      const returnCode = connackCodeOf(error as BimrideError);
      throw Object.assign(error as Error, { returnCode }) as AuthenticateError;
    }
  }

  #listen(): void {
    const aedes = this.#aedes;
    aedes.on("clientReady", (client) => {
      const connection = this.#of(client);
      if (!connection) return;
      const older = this.#byKey.get(connection.key);
      this.#byKey.set(connection.key, connection);
      connection.connected(older);
    });
    aedes.on("subscribe", (subscriptions, client) => {
      for (const { topic, qos } of subscriptions) if (qos <= 2) this.#of(client)?.subscribed(topic);
    });
    aedes.on("unsubscribe", (topics, client) => {
      for (const topic of topics) this.#of(client)?.unsubscribed(topic);
    });
    const broken = (client: Client, cause: Error) =>
      this.#of(client)?.fail(new BimrideError("MESSAGE_INVALID", undefined, { cause }));
    aedes.on("clientError", broken);
    aedes.on("connectionError", broken);
  }

  #checkAll(): void {
    const nowMs = this.#gateway.ioClock.monotonic();
    for (const connection of this.#connections.values()) connection.check(nowMs, this.#unreadTimeoutMs);
  }
}
