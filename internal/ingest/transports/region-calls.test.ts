import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PublishRequestSchema } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { FixInput, HelloInput } from "../messages.ts";
import { grpcTransport, webSocketJsonTransport, webSocketProtobufTransport } from "./clients.ts";
import { fixesMessage, goodFix, nth, verdictsOf } from "./conformance-rig.ts";
import type { TestGateway } from "./kit.ts";
import {
  fixInput,
  helloInput,
  northOf,
  RegionPhone,
  sessionIn,
  startTwoRegions,
  storedIn,
  tripIn,
} from "./region-rig.ts";

let gateway: TestGateway;
let drivers = 0;
const nextDriver = () => `driver-${++drivers}`;
const wire = (metres: number) => {
  const { latDeg, lonDeg } = northOf(metres);
  return { latitudeDeg: latDeg, longitudeDeg: lonDeg };
};

beforeAll(async () => {
  gateway = await startTwoRegions();
});
afterAll(() => gateway[Symbol.asyncDispose]());

test.each([grpcTransport, webSocketProtobufTransport, webSocketJsonTransport])(
  "over $name a car across the border hears Move, says Hello again and goes on there",
  async (transport) => {
    const driver = nextDriver();
    const client = transport.connect(gateway, await gateway.token("driver", driver));
    const hello = (lastRegion: string, metres: number) =>
      client.send(
        create(PublishRequestSchema, {
          message: {
            case: "hello",
            value: {
              sessionId: "session-1",
              lastRegion,
              position: wire(metres),
              deviceTimeMs: BigInt(Date.now()),
            },
          },
        }),
      );
    hello("", -100);
    expect((await nth(client, "welcome")).region).toBe("south");
    client.send(fixesMessage([{ ...goodFix(0), position: wire(5_000) }]));
    expect((await nth(client, "move")).region).toBe("north");
    expect(verdictsOf(await nth(client, "ack"))).toEqual({ 0: "ACCEPTED" });
    hello("north", 5_000);
    expect((await nth(client, "welcome", 2)).region).toBe("north");
    expect(await storedIn(gateway, "north", driver)).toEqual([0]);
    client.close();
  },
);

describe("a batch without a stream", () => {
  const call = (driver: string, hello: Partial<HelloInput>, fixes: FixInput[]) =>
    gateway.ingest.publishBatch(
      {
        principal: {
          role: "driver",
          subject: driver,
          signInId: "in-1",
          expiresAtMs: Number.MAX_SAFE_INTEGER,
        },
        ...{ transport: "http", traceparent: "" },
      },
      helloInput("session-1", hello),
      { fixes, deviceTimeMs: 0, batchId: 1, assignmentVersion: 0 },
    );
  let lastMs = 0;
  /** Never the same twice: of two fixes of one millisecond the second tells no place. */
  const now = () => {
    lastMs = Math.max(gateway.clock.now(), lastMs + 1);
    return lastMs;
  };

  test("goes where its newest fix lies, with hysteresis, and the answer says where", async () => {
    const driver = nextDriver();
    const hello = { lastRegion: "" };
    const batches: [seq: number, metres: number, region: string][] = [
      [0, -100, "south"],
      [2, 1_900, "south"],
      [4, 2_100, "north"],
      [6, -1_900, "north"],
    ];
    for (const [seq, metres, region] of batches) {
      const fixes = [fixInput(seq, -50_000, now() - 5_000), fixInput(seq + 1, metres, now())];
      const answer = await call(driver, hello, fixes);
      expect(answer).toMatchObject({
        region,
        ack: { verdicts: [{ code: "ACCEPTED" }, { code: "ACCEPTED" }] },
      });
      hello.lastRegion = answer.region;
    }
    expect(await storedIn(gateway, "south", driver)).toEqual([0, 1, 2, 3]);
    expect(await storedIn(gateway, "north", driver)).toEqual([4, 5, 6, 7]);
    expect(await sessionIn(gateway, "south", driver)).toEqual(["opened", "closed"]);
    expect(await sessionIn(gateway, "north", driver)).toEqual(["opened"]);
  });

  test("of a new party opens the session in its region only", async () => {
    const driver = nextDriver();
    expect((await call(driver, {}, [fixInput(0, 5_000, now())])).region).toBe("north");
    expect(await sessionIn(gateway, "south", driver)).toEqual([]);
    expect(await sessionIn(gateway, "north", driver)).toEqual(["opened"]);
  });

  test("stays where the client says that it was when it is a backlog, and where the trip is when there is one", async () => {
    const driver = nextDriver();
    const old = now() - 3_600_000;
    const hello = { lastRegion: "north" };
    expect((await call(driver, hello, [fixInput(0, -9_000, old)])).region).toBe("north");
    gateway.trips.byDriver.set(driver, tripIn("north", driver));
    expect((await call(driver, hello, [fixInput(1, -9_000, now())])).region).toBe("north");
    gateway.trips.byDriver.delete(driver);
    expect((await call(driver, hello, [fixInput(2, -9_000, now())])).region).toBe("south");
    expect(await storedIn(gateway, "north", driver)).toEqual([0, 1]);
  });

  test("stays where it was while the trips store is away, and is taken all the same", async () => {
    const driver = nextDriver();
    gateway.trips.down = true;
    const answer = await call(driver, { lastRegion: "south" }, [fixInput(0, 9_000, now())]);
    gateway.trips.down = false;
    expect(answer).toMatchObject({ region: "south", ack: { verdicts: [{ code: "ACCEPTED" }] } });
  });

  test("of a session that has a stream goes where that is, and a repeat is DUPLICATE there", async () => {
    const driver = nextDriver();
    const phone = new RegionPhone(gateway, driver);
    await phone.hello({ position: northOf(-5_000) });
    await phone.drive(-5_000);
    const answer = await call(driver, { position: northOf(9_000) }, [fixInput(0, -5_000, now())]);
    expect(answer).toMatchObject({ region: "south", ack: { verdicts: [{ code: "DUPLICATE" }] } });
    expect(phone.moves).toEqual([]);
  });

  test("over HTTP is answered with the region", async () => {
    const position = wire(9_000);
    const response = await fetch(`http://${gateway.httpAddress}/v1/fixes`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${await gateway.token("driver", nextDriver())}`,
      },
      body: JSON.stringify({
        hello: { sessionId: "session-1" },
        fixes: { fixes: [{ seq: 0, capturedAtMs: String(Date.now()), position }] },
      }),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ region: "north" });
  });
});
