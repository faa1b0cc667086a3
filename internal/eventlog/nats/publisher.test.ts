import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { asBimrideError } from "../../core/errors.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import type { NatsLink } from "../../nats/link.ts";
import { Availability } from "./availability.ts";
import { Publisher } from "./publisher.ts";

type Heard = (error: null, message: Msg) => void;
type Sent = { subject: string; text: string; id: string; reply: string };

/** A publisher whose server is this test: it answers when and what it is told to, as real ones do in bad moments. */
class Scene {
  readonly clock = new VirtualClock(1_000);
  readonly sent: Sent[] = [];
  readonly outcomes: string[] = [];
  readonly availability: Availability;
  readonly publisher: Publisher;
  room = Promise.resolve(1 << 30);
  #heard: Heard = () => {};
  #watch: (connected: boolean) => void = () => {};

  constructor() {
    const connection = {
      info: { max_payload: 1 << 20 },
      isClosed: () => false,
      flush: async () => {},
      subscribe: (_: string, { callback }: { callback: Heard }) => {
        this.#heard = callback;
        return { unsubscribe() {} };
      },
      publish: (
        subject: string,
        body: Uint8Array,
        { reply, headers }: { reply: string; headers: { encode(): Buffer } },
      ) =>
        this.sent.push({
          subject,
          text: new TextDecoder().decode(body),
          id: /^NATS\/1\.0\r\nNats-Msg-Id: (\S+)\r\n\r\n$/.exec(String(headers.encode()))![1]!,
          reply,
        }),
    } as unknown as NatsConnection;
    const link = {
      connection,
      connected: true,
      watch: (listener: (connected: boolean) => void) => {
        this.#watch = listener;
        return () => {};
      },
    } as unknown as NatsLink;
    const { clock } = this;
    this.availability = new Availability({ clock, awayAfterMs: 800, roomBytes: () => this.room });
    this.publisher = new Publisher({
      link,
      clock,
      availability: this.availability,
      stream: "LOG_eu1",
      subjects: ["log.eu1.0", "log.eu1.1"],
      maxPendingLogBytes: 1_000,
      giveUpMs: 4_000,
    });
    this.publisher.start();
  }

  append(partition: number, text: string): void {
    this.publisher.append(partition, new TextEncoder().encode(text)).then(
      (sequence) => this.outcomes.push(`${text} ${sequence}`),
      (error) => this.outcomes.push(`${text} ${asBimrideError(error).code}`),
    );
  }

  /** The server answers the n-th message that was sent. */
  async answer(n: number, answer: object | "nobody"): Promise<void> {
    const data = answer === "nobody" ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(answer));
    const message = { subject: this.sent[n]!.reply, data, headers: { code: 503 } } as unknown as Msg;
    this.#heard(null, message);
    await this.settle();
  }

  async store(n: number, sequence: number, duplicate = false): Promise<void> {
    await this.answer(n, { stream: "LOG_eu1", seq: sequence, ...(duplicate ? { duplicate } : {}) });
  }

  async connected(connected: boolean): Promise<void> {
    this.#watch(connected);
    await this.settle();
  }

  async wait(delayMs: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < delayMs; waitedMs += 50) {
      this.clock.advanceTo(this.clock.now() + 50);
      await this.settle();
    }
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }

  get texts(): string[] {
    return this.sent.map(({ text }) => text);
  }
}

describe("the publisher of the NATS log", () => {
  test("sends after a reconnect what has no answer, in order, under the ids it had, and what came meanwhile after it", async () => {
    const scene = new Scene();
    for (const text of ["a", "b", "c"]) scene.append(0, text);
    await scene.store(0, 1);
    await scene.connected(false);
    scene.append(0, "d");
    expect(scene.texts).toEqual(["a", "b", "c"]);
    await scene.connected(true);
    expect(scene.texts).toEqual(["a", "b", "c", "b", "c", "d"]);
    expect(scene.sent[3]!.id).toBe(scene.sent[1]!.id);
    await scene.store(3, 2, true);
    await scene.store(4, 3);
    await scene.store(5, 4);
    expect(scene.outcomes).toEqual(["a 1", "b 2", "c 3", "d 4"]);
  });

  test("rejects rather than sends again what a later entry of its partition has overtaken", async () => {
    const scene = new Scene();
    scene.append(0, "lost");
    scene.append(1, "lost too");
    scene.append(0, "later");
    await scene.store(2, 7);
    await scene.wait(1_500);
    expect(scene.texts.slice(3)).toEqual(["lost too"]);
    expect(scene.outcomes).toEqual(["later 7", "lost LOG_UNAVAILABLE"]);
    await scene.store(3, 8);
    expect(scene.outcomes.at(-1)).toBe("lost too 8");
  });

  test("rejects what turns out to be stored before an entry that was appended earlier", async () => {
    const scene = new Scene();
    for (const text of ["a", "b"]) scene.append(0, text);
    await scene.connected(false);
    await scene.connected(true);
    await scene.store(2, 6);
    await scene.store(3, 5, true);
    expect(scene.outcomes).toEqual(["a 6", "b LOG_UNAVAILABLE"]);
  });

  test("while nobody holds the stream asks with one entry, and lets the others go in order when it is taken", async () => {
    const scene = new Scene();
    for (const text of ["a", "b"]) scene.append(0, text);
    await scene.answer(0, "nobody");
    await scene.answer(1, "nobody");
    scene.append(0, "c");
    expect(scene.texts).toEqual(["a", "b"]);
    await scene.wait(100);
    expect(scene.texts.slice(2)).toEqual(["a"]);
    await scene.answer(2, "nobody");
    await scene.wait(100);
    expect(scene.texts.slice(3)).toEqual(["a"]);
    await scene.store(3, 1);
    expect(scene.texts.slice(4)).toEqual(["b", "c"]);
    await scene.store(4, 2);
    await scene.store(5, 3);
    expect(scene.outcomes).toEqual(["a 1", "b 2", "c 3"]);
  });

  test("refuses at once while the log is silent, gives up after its time, and takes appends when it is back", async () => {
    const scene = new Scene();
    let back = Promise.withResolvers<number>();
    scene.room = back.promise;
    scene.append(0, "a");
    await scene.wait(900);
    scene.append(0, "b");
    await scene.settle();
    expect(scene.outcomes).toEqual(["b LOG_UNAVAILABLE"]);
    expect(scene.availability.fault).toMatchObject({ code: "LOG_UNAVAILABLE" });
    await scene.wait(3_200);
    expect(scene.outcomes).toEqual(["b LOG_UNAVAILABLE", "a LOG_UNAVAILABLE"]);
    await scene.wait(1_000);
    scene.append(0, "c");
    await scene.settle();
    expect(scene.outcomes.at(-1)).toBe("c LOG_UNAVAILABLE");
    back.resolve(1 << 30);
    back = Promise.withResolvers();
    await scene.wait(1_000);
    expect(scene.availability.fault).toBeUndefined();
    scene.append(0, "d");
    await scene.store(scene.sent.length - 1, 1);
    expect(scene.outcomes.at(-1)).toBe("d 1");
  });

  test("is full until there is room, also when nobody appends", async () => {
    const scene = new Scene();
    scene.room = Promise.resolve(100);
    scene.append(0, "a");
    await scene.answer(0, { stream: "LOG_eu1", error: { code: 503, err_code: 10_077, description: "full" } });
    expect(scene.outcomes).toEqual(["a LOG_FULL"]);
    await scene.wait(2_000);
    expect(scene.availability.fault).toMatchObject({ code: "LOG_FULL" });
    expect(scene.availability.away).toBe(false);
    scene.room = Promise.resolve(1 << 20);
    await scene.wait(1_000);
    expect(scene.availability.fault).toBeUndefined();
  });
});
