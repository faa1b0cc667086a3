import { type NatsConnection, nuid } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { startNats } from "../../../test/kit/engines/nats.ts";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import type { LiveChange } from "../../core/live.ts";
import { connectNats } from "../../nats/link.ts";
import type { LiveBus } from "../bus.ts";
import { ChangeMaker, positionAt, tripOf } from "../kit.ts";
import { openNatsBus } from "./bus.ts";

const A = "se1-0000000000000000000000000a";
const B = "se1-0000000000000000000000000b";

type Node = AsyncDisposable & {
  bus: LiveBus;
  connection: NatsConnection;
  dropped(): number;
  errors: unknown[];
};

async function node(address: string, prefix = ""): Promise<Node> {
  const link = await connectNats({ servers: [address], name: "bimride-test" });
  let drops = 0;
  const errors: unknown[] = [];
  const bus = await openNatsBus({
    link,
    region: "se1",
    prefix,
    onError: (error) => errors.push(error),
    events: { dropped: () => drops++ },
  });
  return {
    bus,
    connection: link.connection,
    dropped: () => drops,
    errors,
    async [Symbol.asyncDispose]() {
      await bus[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe("the live bus on NATS", () => {
  test("brings a change from one process to another as it was", async () => {
    const prefix = `t${nuid.next()}_`;
    await using processor = await node(sharedEngines().nats, prefix);
    await using edge = await node(sharedEngines().nats, prefix);
    const heard: LiveChange[] = [];
    await edge.bus.subscribe(A, (change) => heard.push(change));
    const maker = new ChangeMaker(A);
    const trip = { ...tripOf(A), plannedPath: [{ latDeg: 57.123456789, lonDeg: 11.5 }], version: 7 };
    const sent: LiveChange[] = [
      maker.begin(trip),
      maker.next({
        position: { ...positionAt(1_700_000_000_123), headingDeg: Number.NaN, speedMps: Number.NaN },
      }),
      maker.next({ latePoints: [{ latDeg: 57.00000001, lonDeg: -11, capturedAtMs: 1_700_000_000_001.5 }] }),
      maker.next({
        device: {
          state: { batteryPercent: 7, network: "none" },
          connected: true,
          lost: false,
          mockFix: true,
          atMs: 12,
        },
      }),
      maker.next({ device: { state: {}, connected: false, lost: true, mockFix: false, atMs: 13 } }),
    ];
    for (const change of sent) processor.bus.publish(change);
    await until(() => heard.length === sent.length);
    expect(heard).toEqual(sent);
    expect(processor.dropped()).toBe(0);
  });

  test("an edge gets no message of trips that nobody there watches, and none any more once nobody does", async () => {
    const prefix = `t${nuid.next()}_`;
    await using processor = await node(sharedEngines().nats, prefix);
    await using edge = await node(sharedEngines().nats, prefix);
    const heard: LiveChange[] = [];
    const watches = [
      await edge.bus.subscribe(A, (change) => heard.push(change)),
      await edge.bus.subscribe(A, (change) => heard.push(change)),
    ];
    const before = edge.connection.stats().inMsgs;
    const [a, b] = [new ChangeMaker(A), new ChangeMaker(B)];
    for (let i = 0; i < 100; i++) for (const maker of [a, b]) processor.bus.publish(maker.move(i));
    await until(() => heard.length === 200);
    expect(edge.connection.stats().inMsgs - before).toBe(100);
    for (const watch of watches) watch[Symbol.dispose]();
    await edge.connection.flush();
    for (let i = 0; i < 100; i++) processor.bus.publish(a.move(i));
    await processor.connection.flush();
    await edge.connection.flush();
    expect(edge.connection.stats().inMsgs - before).toBe(100);
  });

  test("drops what is said while the server is away, and goes on with the same subscriptions when it is back", async () => {
    await using server = await startNats();
    await using processor = await node(server.address);
    await using edge = await node(server.address);
    const heard: number[] = [];
    await edge.bus.subscribe(A, ({ version }) => heard.push(version.sequence));
    const maker = new ChangeMaker(A);
    processor.bus.publish(maker.move(1));
    await until(() => heard.length === 1);
    await server.kill("SIGKILL");
    await until(() => {
      processor.bus.publish(maker.move(2));
      return processor.dropped() > 0;
    });
    await server.start();
    await until(() => {
      processor.bus.publish(maker.move(3));
      return heard.length > 1;
    });
    expect(heard.toSorted((x, y) => x - y)).toEqual(heard);
  });

  test("keeps its memory bounded while the server takes nothing", async () => {
    await using server = await startNats();
    await using processor = await node(server.address);
    await server.kill("SIGSTOP");
    const maker = new ChangeMaker(A);
    const trip = { ...tripOf(A), cancelReason: "x".repeat(200_000) };
    for (let i = 0; i < 200; i++) {
      processor.bus.publish(maker.next({ trip }));
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(processor.dropped()).toBeGreaterThan(100);
    await server.kill("SIGCONT");
    const before = processor.dropped();
    await processor.connection.flush();
    await until(() => processor.connection.info !== undefined);
    processor.bus.publish(maker.move(1));
    expect(processor.dropped()).toBe(before);
  });

  test("a subscription waits for a server that is away, and says so when it stays away", async () => {
    await using server = await startNats();
    await using edge = await node(server.address);
    await server.kill("SIGKILL");
    const heard: number[] = [];
    await expect(edge.bus.subscribe(B, () => {})).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const subscribing = edge.bus.subscribe(A, ({ version }) => heard.push(version.sequence));
    await server.start();
    await subscribing;
    edge.bus.publish(new ChangeMaker(A).move(1));
    await until(() => heard.length === 1);
  });

  test("a message that can't be read, or sent, is told and disturbs nobody", async () => {
    const prefix = `t${nuid.next()}_`;
    await using edge = await node(sharedEngines().nats, prefix);
    const heard: LiveChange[] = [];
    await edge.bus.subscribe(A, (change) => heard.push(change));
    edge.connection.publish(`${prefix}live.se1.${A}`, new Uint8Array([0xff, 0xff, 1]));
    edge.connection.publish(`${prefix}live.se1.${A}`, new Uint8Array(0));
    edge.bus.publish({ ...new ChangeMaker(A).move(1), tripId: "no.trip >" });
    edge.bus.notify({ partyKey: "*", kind: "assignmentChanged", tripId: A, tripVersion: 1 });
    edge.bus.publish(new ChangeMaker(A).move(1));
    await until(() => heard.length === 1);
    expect(edge.errors).toHaveLength(4);
    await expect(edge.bus.subscribe("*", () => {})).rejects.toThrow(RangeError);
  });
});
