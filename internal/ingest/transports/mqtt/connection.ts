import { BimrideError } from "../../../core/errors.ts";
import { type Party, partyKey } from "../../../core/fix.ts";
import { SESSION_ID_PATTERN } from "../../../core/ids.ts";
import { partyOf } from "../../caller.ts";
import type { IngestGateway } from "../../gateway.ts";
import type { BatchInput, ClientMessage, HelloInput, ServerMessage } from "../../messages.ts";
import type { IngestSession } from "../../session.ts";
import { PacketStream } from "./packet-stream.ts";
import { PACKET, publishPacket } from "./packets.ts";
import { Payloads } from "./payload.ts";
import { type PartyTopics, topicsOf } from "./topics.ts";
import { UnackedPublishes } from "./unacked.ts";
import type { Wire } from "./wire.ts";

/** What a CONNECT says that counts here. @property keepaliveS seconds, 0 for none */
export type Connect = { clientId: string; keepaliveS: number; will: Will | undefined };
export type Will = { topic: string; payload: Buffer };
/** A PUBLISH as far as it counts here. */
export type Publish = { topic: string; qos: 0 | 1 | 2; messageId: number; payload: Buffer };

/** A client that is connected for so long and has said no Hello is in the session that its client id names. */
const GREET_AFTER_MS = 500;
/** A connection that was ended, and whose client does not close it, is cut off. */
const END_TIMEOUT_MS = 5_000;

/** One MQTT connection: a session whose messages come as publishes. The broker speaks the protocol around them. */
export class MqttConnection {
  readonly stream: PacketStream;
  readonly #gateway: IngestGateway;
  readonly #onLost: () => void;
  readonly #payloads: Payloads;
  readonly #unacked: UnackedPublishes;
  readonly #openedMs: number;
  readonly #cancels = new Set<() => void>();
  #connect: Connect = { clientId: "", keepaliveS: 0, will: undefined };
  #will: ClientMessage | undefined;
  #topics: PartyTopics | undefined;
  #session: IngestSession | undefined;
  #key = "";
  /** What the session was opened with last; undefined before. */
  #hello: HelloInput | undefined;
  #older: MqttConnection | undefined;
  #isSubscribed = false;
  #missedWelcome = false;
  #connectedMs: number | undefined;
  #lastHeardMs: number;
  #endedMs: number | undefined;
  #isLost = false;
  #saidGoodbye = false;

  /** @param onLost called once, when the connection is gone */
  constructor(gateway: IngestGateway, wire: Wire, onLost: () => void) {
    this.#gateway = gateway;
    this.#onLost = onLost;
    const { maxMessageBytes, maxUnackedPublishes, maxFixesPerMessage } = gateway.limits;
    this.#payloads = new Payloads(maxFixesPerMessage);
    this.stream = new PacketStream(
      wire,
      {
        packet: ({ type }) => this.#packet(type),
        refused: (error) => this.fail(error),
        lost: () => this.#lost(),
      },
      { maxMessageBytes, maxUnacked: maxUnackedPublishes },
    );
    this.#unacked = new UnackedPublishes(this.stream);
    this.#openedMs = gateway.ioClock.monotonic();
    this.#lastHeardMs = this.#openedMs;
  }

  /** Party and client id: of those that are connected with the same one only the newest stays. Empty before {@link admit}. */
  get key(): string {
    return this.#key;
  }

  /** A CONNECT came. */
  announce(connect: Connect): void {
    this.#connect = connect;
  }

  /** Checks token, client id and will. Rejects with why the client is not let in, counted. */
  async admit(token: string | undefined): Promise<void> {
    const gateway = this.#gateway;
    try {
      const principal = await gateway.authenticate(token);
      const { clientId, will } = this.#connect;
      if (!SESSION_ID_PATTERN.test(clientId))
        throw new BimrideError("SESSION_ID_INVALID", undefined, { field: "client id" });
      const party = partyOf(principal, helloOf(clientId), "");
      this.#topics = topicsOf(party);
      this.#will = will && this.#readWill(will, this.#topics);
      if (this.#isLost) return;
      this.#session = gateway.openSession({
        ...{ principal, transport: "mqtt", traceparent: "" },
        port: { send: (message) => this.#send(message), end: (error) => this.#end(error) },
      });
      this.#key = keyOf(party, clientId);
    } catch (cause) {
      this.#endedMs = gateway.ioClock.monotonic();
      throw gateway.refusal("mqtt", cause);
    }
  }

  /** The client was told that it is let in. @param older connection of the same key, which gives way to the session's Hello */
  connected(older: MqttConnection | undefined): void {
    this.#connectedMs = this.#gateway.ioClock.monotonic();
    this.#older = older;
    this.#later(GREET_AFTER_MS, () => this.#greet());
    this.stream.connected();
  }

  /** Ends without a word: the client has another connection. */
  giveWay(): void {
    this.#session?.replaced();
  }

  /** Takes a publish; its answer goes out when it is settled. */
  publish({ topic, qos, messageId, payload }: Publish): void {
    const session = this.#session;
    if (!session || this.#endedMs !== undefined) return;
    this.#gateway.events.received("mqtt", payload.byteLength);
    if (topic !== this.#topics?.fixes) {
      session.abort(new BimrideError("TOPIC_FORBIDDEN"));
      return;
    }
    const message = this.#payloads.decode(payload);
    const unacked = qos === 0 ? undefined : this.#unacked.add(qos, messageId);
    const acknowledge = () => {
      if (unacked) this.#unacked.settle(unacked);
    };
    if (message.kind === "hello") {
      this.#greet(message);
      acknowledge();
      return;
    }
    if (message.kind !== "undecodable") this.#greet();
    if (message.kind === "fixes" && unacked) this.#takeFixes(message, acknowledge);
    else {
      session.receive(message);
      acknowledge();
    }
  }

  /** True where the client may subscribe, and is told from now on; else it is counted that it tried. */
  maySubscribe(topic: string): boolean {
    if (topic === this.#topics?.down) {
      this.#isSubscribed = true;
      return true;
    }
    this.#gateway.refusal("mqtt", new BimrideError("TOPIC_FORBIDDEN"));
    return false;
  }

  /** The client has its SUBACK. What the Welcome said before that is said again. */
  subscribed(topic: string): void {
    if (topic !== this.#topics?.down || !this.#missedWelcome || !this.#hello) return;
    this.#missedWelcome = false;
    this.#session?.receive({ kind: "hello", ...this.#hello });
  }

  unsubscribed(topic: string): void {
    if (topic === this.#topics?.down) this.#isSubscribed = false;
  }

  /** Ends the connection with the error, counted; where there is a session, the client is told first. */
  fail(error: BimrideError): void {
    if (this.#session) this.#session.abort(error);
    else if (this.#endedMs === undefined) this.#end(this.#gateway.refusal("mqtt", error));
  }

  /** Called about once a second: whoever is silent, unread or ended for too long goes. @param unreadTimeoutMs for unread answers */
  check(nowMs: number, unreadTimeoutMs: number): void {
    const { limits } = this.#gateway;
    if (!this.stream.isOpen) this.#endedMs ??= nowMs;
    if (this.#endedMs !== undefined) {
      if (nowMs - this.#endedMs >= END_TIMEOUT_MS) this.stream.cut();
    } else if (this.#connectedMs === undefined) {
      if (nowMs - this.#openedMs >= limits.helloTimeoutMs) this.fail(new BimrideError("HELLO_EXPECTED"));
    } else if (this.stream.unreadMs(nowMs) >= unreadTimeoutMs) this.#tooSlow();
    else if (this.stream.isHeld) this.#heard(nowMs);
    else if (nowMs - this.#lastHeardMs >= this.#silenceMs) this.#silent();
  }

  /** Cuts it off. */
  cut(): void {
    this.stream.cut();
  }

  /** One and a half times what the client asked for, as MQTT says, and at most what any stream may be silent. */
  get #silenceMs(): number {
    const { ingestIdleTimeoutMs } = this.#gateway.limits;
    const { keepaliveS } = this.#connect;
    return keepaliveS === 0 ? ingestIdleTimeoutMs : Math.min(keepaliveS * 1_500, ingestIdleTimeoutMs);
  }

  /** Says Hello for the client unless one was said, or the one that the client says itself. */
  #greet(explicit?: HelloInput): void {
    if (!explicit && this.#hello) return;
    const { clientId } = this.#connect;
    const hello = { ...(explicit ?? helloOf(clientId)), sessionId: explicit?.sessionId || clientId };
    if (hello.sessionId !== clientId) {
      const message = "Over MQTT the session id is the client id.";
      const error = new BimrideError("SESSION_ID_INVALID", message, { field: "session_id" });
      this.#session?.receive({ kind: "undecodable", error, batchId: 0 });
      return;
    }
    this.#hello = hello;
    this.#session?.receive({ kind: "hello", ...hello });
    // It may not have said Hello yet itself: then the session knows nothing of it.
    this.#older?.giveWay();
    this.#older = undefined;
  }

  /** Acknowledges the batch when the log has all of it that it may have. */
  #takeFixes(batch: { kind: "fixes" } & BatchInput, acknowledge: () => void): void {
    this.#session?.receive(batch, ({ ack, error }) => {
      if (error) {
        // Unacknowledged, it comes again over the next connection.
        if (error.retryable) this.#end(error);
        else acknowledge();
        return;
      }
      const limited = new Set(
        ack.verdicts.flatMap(({ seq, code }) => (code === "RATE_LIMITED" ? [seq] : [])),
      );
      if (limited.size === 0) acknowledge();
      else
        this.#later(ack.retryAfterMs, () => {
          const fixes = batch.fixes.filter(({ seq }) => limited.has(seq));
          this.#takeFixes({ ...batch, fixes }, acknowledge);
        });
    });
  }

  #later(delayMs: number, callback: () => void): void {
    const cancel = this.#gateway.ioClock.after(delayMs, () => {
      this.#cancels.delete(cancel);
      callback();
    });
    this.#cancels.add(cancel);
  }

  #readWill({ topic, payload }: Will, topics: PartyTopics): ClientMessage {
    if (topic !== topics.fixes) throw new BimrideError("TOPIC_FORBIDDEN", undefined, { field: "will" });
    const message = new Payloads(this.#gateway.limits.maxFixesPerMessage).decode(payload);
    if (message.kind === "undecodable") throw message.error;
    if (message.kind === "deviceState" || message.kind === "fixes") return message;
    throw new BimrideError("MESSAGE_INVALID", "A will holds fixes or a device state.", { field: "will" });
  }

  #send(message: ServerMessage): void {
    if (!this.#isSubscribed || this.#endedMs !== undefined || !this.#topics) {
      this.#missedWelcome ||= message.kind === "welcome";
      return;
    }
    this.stream.write(publishPacket(Buffer.from(this.#topics.down), this.#payloads.encode(message)));
    if (this.stream.unreadBytes > this.#gateway.limits.maxUnreadAnswerBytes) this.#tooSlow();
  }

  #tooSlow(): void {
    this.#endedMs = this.#gateway.ioClock.monotonic();
    this.#gateway.refusal("mqtt", new BimrideError("CLIENT_TOO_SLOW"));
    this.stream.cut();
  }

  #packet(type: number): void {
    this.#heard(this.#gateway.ioClock.monotonic());
    if (type !== PACKET.DISCONNECT) return;
    // Whoever takes leave has no last will.
    this.#will = undefined;
    this.#saidGoodbye = true;
  }

  #heard(nowMs: number): void {
    this.#lastHeardMs = nowMs;
    this.#session?.alive();
  }

  /** A client that is not there any more, or asleep: as if its connection had broken. */
  #silent(): void {
    const error = this.#gateway.refusal("mqtt", new BimrideError("IDLE_TIMEOUT"));
    const { code, message, field, retryable } = error;
    this.#send({ kind: "problem", code, message, field, batchId: 0, retryable });
    this.#leave();
    this.#end(error);
  }

  /** Ends the connection after what was sent. What is unacknowledged stays so. */
  #end(error: BimrideError | undefined): void {
    if (this.#endedMs !== undefined) return;
    this.#endedMs = this.#gateway.ioClock.monotonic();
    this.stream.finish(error);
  }

  #lost(): void {
    this.#isLost = true;
    this.#endedMs ??= this.#gateway.ioClock.monotonic();
    this.#leave();
    this.#onLost();
  }

  /** Leaves the session, after the last will where there is one. */
  #leave(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    const will = this.#will;
    this.#will = undefined;
    if (will && this.#session) {
      this.#greet();
      this.#session.receive(will);
    }
    this.#session?.closed(this.#saidGoodbye);
  }
}

/** The Hello of a client that says none. */
function helloOf(sessionId: string): HelloInput {
  return {
    ...{ sessionId, party: undefined, deviceId: "", appVersion: "", deviceTimeMs: 0, lastRegion: "" },
    ...{ position: undefined, deviceState: undefined },
  };
}

function keyOf(party: Party, clientId: string): string {
  return `${partyKey(party)} ${clientId}`;
}
