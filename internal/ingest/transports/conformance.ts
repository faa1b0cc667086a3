import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Fix, FixSchema } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import { PublishRequestSchema, VerdictCode } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { ErrorCode } from "../../core/errors.ts";
import type { Trip } from "../../core/trip.ts";
import type { Answer, IngestClient, IngestTransport } from "./clients.ts";
import { startTestGateway, type TestGateway } from "./kit.ts";

type FixInit = Exclude<MessageInitShape<typeof FixSchema>, Fix>;
type Ack = Extract<Answer, { case: "ack" }>["value"];
type Problem = Extract<Answer, { case: "problem" }>["value"];

const HOUR_MS = 3_600_000;

/** One good fix. */
export function goodFix(seq: number, capturedAtMs = Date.now()): FixInit {
  return {
    seq,
    capturedAtMs: BigInt(capturedAtMs),
    position: { latitudeDeg: 57.7 + (seq % 1_000) * 1e-5, longitudeDeg: 11.97 },
    accuracyM: 5,
    speedMps: 10,
    headingDeg: 90,
  };
}

/** Fixes as one message. */
export function fixesMessage(fixes: FixInit[], batchId = 1, deviceTimeMs = Date.now()) {
  const value = { fixes, batchId, deviceTimeMs: BigInt(deviceTimeMs) };
  return create(PublishRequestSchema, { message: { case: "fixes", value } });
}

/** The opening message. */
export function helloMessage(
  sessionId: string,
  party?: { kind: 1 | 2; id: string },
  deviceTimeMs = Date.now(),
) {
  const value = {
    sessionId,
    party,
    deviceId: "phone",
    appVersion: "1.0",
    deviceTimeMs: BigInt(deviceTimeMs),
  };
  return create(PublishRequestSchema, { message: { case: "hello", value } });
}

/** What is wrong with a fix, and what it must be told. */
const BAD_FIXES: [string, Partial<FixInit>, ErrorCode, string][] = [
  ["no position", { position: undefined }, "POSITION_INVALID", "position"],
  ["latitude NaN", position(Number.NaN, 12), "POSITION_INVALID", "position.latitude_deg"],
  ["latitude +Infinity", position(Number.POSITIVE_INFINITY, 12), "POSITION_INVALID", "position.latitude_deg"],
  [
    "longitude -Infinity",
    position(57, Number.NEGATIVE_INFINITY),
    "POSITION_INVALID",
    "position.longitude_deg",
  ],
  ["latitude 91", position(91, 12), "POSITION_INVALID", "position.latitude_deg"],
  ["longitude -181", position(57, -181), "POSITION_INVALID", "position.longitude_deg"],
  ["the point 0,0", position(0, 0), "POSITION_NULL_ISLAND", "position"],
  ["the year 1970", { capturedAtMs: 1_000n }, "CAPTURED_TOO_OLD", "captured_at_ms"],
  ["49 hours ago", captured(-49 * HOUR_MS), "CAPTURED_TOO_OLD", "captured_at_ms"],
  ["two minutes ahead", captured(120_000), "CAPTURED_IN_FUTURE", "captured_at_ms"],
  ["the end of time", { capturedAtMs: 2n ** 63n - 1n }, "CAPTURED_IN_FUTURE", "captured_at_ms"],
  ["negative accuracy", { accuracyM: -1 }, "ACCURACY_INVALID", "accuracy_m"],
  ["accuracy NaN", { accuracyM: Number.NaN }, "ACCURACY_INVALID", "accuracy_m"],
  ["400 m/s", { speedMps: 400 }, "SPEED_INVALID", "speed_mps"],
  ["speed -Infinity", { speedMps: Number.NEGATIVE_INFINITY }, "SPEED_INVALID", "speed_mps"],
  ["heading 361", { headingDeg: 361 }, "HEADING_INVALID", "heading_deg"],
  ["altitude 30 km", { altitudeM: 30_000 }, "ALTITUDE_INVALID", "altitude_m"],
];

function position(latitudeDeg: number, longitudeDeg: number): Partial<FixInit> {
  return { position: { latitudeDeg, longitudeDeg } };
}

function captured(fromNowMs: number): Partial<FixInit> {
  return { capturedAtMs: BigInt(Date.now() + fromNowMs) };
}

const cases = <C extends Answer["case"]>(client: IngestClient, kind: C) =>
  client.answers.filter((answer): answer is Extract<Answer, { case: C }> => answer.case === kind);

type Value<C> =
  Extract<Exclude<Answer, { case: undefined }>, { case: C }> extends { value: infer V } ? V : never;

/** Waits for the nth (from 1) answer of a kind. */
export async function nth<C extends NonNullable<Answer["case"]>>(
  client: IngestClient,
  kind: C,
  count = 1,
): Promise<Value<C>> {
  await vi.waitFor(() => expect(cases(client, kind).length).toBeGreaterThanOrEqual(count), 20_000);
  return (cases(client, kind)[count - 1] as { value: Value<C> }).value;
}

/** Verdicts as `seq → NAME`. */
export function verdictsOf(ack: Ack): Record<number, string> {
  return Object.fromEntries(ack.verdicts.map(({ seq, code }) => [seq, nameOf(code)]));
}

function nameOf(code: number): string {
  return Object.entries(VerdictCode).find(([, number]) => number === code)?.[0] ?? "?";
}

/**
 * What every way in must do, through the transport's own client against a whole gateway. Transports without streams
 * skip what only streams have.
 */
export function ingestConformance(transport: IngestTransport): void {
  describe(`ingest over ${transport.name}`, () => {
    let gateway: TestGateway;
    let drivers = 0;
    const clients: IngestClient[] = [];

    beforeAll(async () => {
      gateway = await startTestGateway();
    });
    afterAll(async () => {
      for (const client of clients) client.close();
      await gateway[Symbol.asyncDispose]();
    });

    const connect = (token: string | undefined) => {
      const client = transport.connect(gateway, token);
      clients.push(client);
      return client;
    };

    /** A new driver's open session. */
    const open = async (sessionId = "session-1", driver = `driver-${++drivers}`, deviceTimeMs?: number) => {
      const token = await gateway.token("driver", driver);
      const client = connect(token);
      client.send(helloMessage(sessionId, undefined, deviceTimeMs));
      if (transport.streams) await nth(client, "welcome");
      return { client, driver, token };
    };

    const recordsOf = async (driver: string) =>
      (await gateway.records()).filter((record) => "party" in record && record.party.id === driver);

    const storedSeqs = async (driver: string) =>
      (await recordsOf(driver)).flatMap((record) =>
        record.kind === "fixBatch" ? record.fixes.map(({ seq }) => seq) : [],
      );

    /** How a call is refused: by the stream's end, or by the call's error. */
    const refusalOf = async (client: IngestClient) => {
      if (!transport.streams) return (await nth(client, "problem")).code;
      await vi.waitFor(() => expect(client.ended).toBeDefined(), 20_000);
      return client.ended;
    };

    const problems = (code: ErrorCode) =>
      gateway.metric("bimride_ingest_problems_total", { code, transport: transport.label });

    test("acks good fixes ACCEPTED once the log has them", async () => {
      const { client, driver } = await open();
      client.send(fixesMessage([goodFix(0), goodFix(1), goodFix(2)], 7));
      const ack = await nth(client, "ack");
      expect(ack.batchId).toBe(7);
      expect(verdictsOf(ack)).toEqual({ 0: "ACCEPTED", 1: "ACCEPTED", 2: "ACCEPTED" });
      expect(await storedSeqs(driver)).toEqual([0, 1, 2]);
      const [opened] = await recordsOf(driver);
      expect(opened).toMatchObject({ kind: "sessionOpened", sessionId: "session-1", closed: false });
    });

    test("answers a repeat DUPLICATE and stores it once", async () => {
      const { client, driver } = await open();
      client.send(fixesMessage([goodFix(0), goodFix(0), goodFix(1)]));
      expect(verdictsOf(await nth(client, "ack"))).toEqual({ 0: "ACCEPTED", 1: "ACCEPTED" });
      client.send(fixesMessage([goodFix(1), goodFix(2)]));
      expect(verdictsOf(await nth(client, "ack", 2))).toEqual({ 1: "DUPLICATE", 2: "ACCEPTED" });
      expect(await storedSeqs(driver)).toEqual([0, 1, 2]);
    });

    test("takes sequence numbers in any order, also backwards", async () => {
      const { client, driver } = await open();
      client.send(fixesMessage([goodFix(9), goodFix(5)]));
      client.send(fixesMessage([goodFix(7), goodFix(4_294_967_295), goodFix(1)]));
      await nth(client, "ack", 2);
      expect(await storedSeqs(driver)).toEqual([9, 5, 7, 4_294_967_295, 1]);
    });

    test("stores a fix of eleven minutes ago as LATE", async () => {
      const { client, driver } = await open();
      client.send(fixesMessage([goodFix(0, Date.now() - 660_000)]));
      expect(verdictsOf(await nth(client, "ack"))).toEqual({ 0: "LATE" });
      expect(await storedSeqs(driver)).toEqual([0]);
    });

    test("refuses each kind of bad fix with its reason and field, takes the good ones beside it, and counts both", async () => {
      const { client, driver } = await open();
      const refused = () => gateway.metric("bimride_ingest_fixes_total", { verdict: "INVALID" });
      const before = await refused();
      const bad = BAD_FIXES.map(([, change], index) => ({ ...goodFix(index * 2), ...change }));
      client.send(fixesMessage(bad.flatMap((fix, index) => [fix, goodFix(index * 2 + 1)])));
      const { verdicts } = await nth(client, "ack");
      for (const [index, [what, , reason, field]] of BAD_FIXES.entries()) {
        expect(verdicts[index * 2], what).toMatchObject({ code: VerdictCode.INVALID, reason, field });
        expect(verdicts[index * 2 + 1], what).toMatchObject({ code: VerdictCode.ACCEPTED });
      }
      expect(await storedSeqs(driver)).toEqual(BAD_FIXES.map((_, index) => index * 2 + 1));
      expect(await refused()).toBe(before + BAD_FIXES.length);
    });

    test("judges capture times after correcting a device clock that is an hour ahead", async () => {
      const deviceNow = () => Date.now() + HOUR_MS;
      const { client, driver } = await open("session-1", undefined, deviceNow());
      const ahead = goodFix(1, deviceNow() + 120_000);
      client.send(fixesMessage([goodFix(0, deviceNow()), ahead], 1, deviceNow()));
      const { verdicts } = await nth(client, "ack");
      expect(verdicts[0]).toMatchObject({ code: VerdictCode.ACCEPTED });
      expect(verdicts[1]).toMatchObject({ code: VerdictCode.INVALID, reason: "CAPTURED_IN_FUTURE" });
      const batch = (await recordsOf(driver)).find((record) => record.kind === "fixBatch");
      expect(batch?.kind === "fixBatch" && Math.abs(batch.clockOffsetMs + HOUR_MS)).toBeLessThan(2_000);
    });

    test("refuses an empty batch and one with too many fixes, and goes on", async () => {
      const { client, driver } = await open();
      client.send(fixesMessage([], 11));
      expect((await nth(client, "problem")).code).toBe("BATCH_EMPTY");
      const many = Array.from({ length: 10_001 }, (_, seq) => ({ seq }));
      client.send(fixesMessage(many, 12));
      const { code, batchId } = await nth(client, "problem", 2);
      expect(code).toBe("BATCH_TOO_LARGE");
      if (transport.streams) expect(batchId).toBe(12);
      client.send(fixesMessage([goodFix(0)]));
      await nth(client, "ack");
      expect(await storedSeqs(driver)).toEqual([0]);
      expect(await problems("BATCH_TOO_LARGE")).toBe(1);
    });

    test("refuses what is no message with MESSAGE_INVALID, and goes on", async () => {
      const { client, driver } = await open();
      const before = await problems("MESSAGE_INVALID");
      const garbage = [
        Uint8Array.of(0xff, 0xff, 0xff),
        '{"fixes":',
        "[]",
        '{"fixes":{"fixes":[{"seq":-1}]}}',
      ];
      for (const raw of garbage) client.sendRaw(raw);
      await nth(client, "problem", garbage.length);
      for (const { value } of cases(client, "problem")) expect(value.code).toBe("MESSAGE_INVALID");
      expect(await problems("MESSAGE_INVALID")).toBe(before + garbage.length);
      client.send(fixesMessage([goodFix(0)]));
      await nth(client, "ack");
      expect(await storedSeqs(driver)).toEqual([0]);
    });

    test("refuses a message of 5 MB with MESSAGE_TOO_LARGE", async () => {
      const before = await problems("MESSAGE_TOO_LARGE");
      const { client } = await open();
      client.sendRaw(new Uint8Array(5_000_000).fill(0x20));
      expect(["MESSAGE_TOO_LARGE", "CUT_OFF"]).toContain(await refusalOf(client));
      expect(await problems("MESSAGE_TOO_LARGE")).toBe(before + 1);
    });

    test("lets nobody in without a token, with a bad or expired one, or of another role", async () => {
      const expired = await gateway.token("driver", "driver-x", 1_000);
      gateway.clock.shiftMs = 5_000;
      const attempts: [string | undefined, ErrorCode][] = [
        [undefined, "TOKEN_MISSING"],
        ["nonsense", "TOKEN_INVALID"],
        [expired, "TOKEN_EXPIRED"],
        [await gateway.token("support", "somebody"), "ROLE_FORBIDDEN"],
      ];
      for (const [token, code] of attempts) {
        const before = await problems(code);
        const client = connect(token);
        client.send(helloMessage("session-1"));
        client.send(fixesMessage([goodFix(0)]));
        expect(await refusalOf(client)).toBe(code);
        expect(await problems(code)).toBe(before + 1);
      }
      gateway.clock.shiftMs = 0;
      expect(await storedSeqs("driver-x")).toEqual([]);
    });

    test("refuses another party's id", async () => {
      const client = connect(await gateway.token("driver", "driver-a"));
      client.send(helloMessage("session-1", { kind: 1, id: "driver-b" }));
      client.send(fixesMessage([goodFix(0)]));
      expect(await refusalOf(client)).toBe("PARTY_MISMATCH");
      const same = connect(await gateway.token("driver", "driver-a"));
      same.send(helloMessage("session-1", { kind: 2, id: "driver-a" }));
      same.send(fixesMessage([goodFix(0)]));
      expect(await refusalOf(same)).toBe("PARTY_MISMATCH");
      expect(await storedSeqs("driver-b")).toEqual([]);
    });

    test("refuses a session id that is not one", async () => {
      const client = connect(await gateway.token("driver", "driver-a"));
      client.send(helloMessage("short"));
      if (!transport.streams) client.send(fixesMessage([goodFix(0)]));
      expect((await nth(client, "problem")).code).toBe("SESSION_ID_INVALID");
    });

    test.each(["LOG_UNAVAILABLE", "LOG_FULL"] as const)(
      "withholds the verdict while the log answers %s, and accepts the repeat",
      async (failure) => {
        const { client, driver } = await open();
        gateway.log.failure = failure;
        client.send(fixesMessage([goodFix(0)], 3));
        const problem: Problem = await nth(client, "problem");
        gateway.log.failure = undefined;
        expect(problem.code).toBe(failure);
        if (transport.streams) expect(problem).toMatchObject({ retryable: true, batchId: 3 });
        expect(cases(client, "ack")).toEqual([]);
        client.send(fixesMessage([goodFix(0)]));
        expect(verdictsOf(await nth(client, "ack"))).toEqual({ 0: "ACCEPTED" });
        expect(await storedSeqs(driver)).toEqual([0]);
      },
    );

    test("tells who sends too much to wait", async () => {
      const { limits } = gateway;
      const burst = limits.maxFixBurstPerSession;
      limits.maxFixBurstPerSession = 5;
      const { client } = await open();
      client.send(fixesMessage(Array.from({ length: 9 }, (_, seq) => goodFix(seq))));
      const ack = await nth(client, "ack");
      limits.maxFixBurstPerSession = burst;
      expect(Object.values(verdictsOf(ack)).filter((name) => name === "RATE_LIMITED")).toHaveLength(4);
      expect(ack.retryAfterMs).toBeGreaterThan(0);
    });

    if (!transport.streams) return;

    test("welcomes, and keeps the place of a session that reconnects", async () => {
      const { client, token, driver } = await open();
      const welcome = await nth(client, "welcome");
      expect(welcome).toMatchObject({ region: "test", clockOffsetMs: 0n });
      expect(welcome.resumeAfterSeq).toBeUndefined();
      expect(Math.abs(Number(welcome.sessionEpoch) - Date.now())).toBeLessThan(10_000);
      client.send(fixesMessage([goodFix(41)]));
      await nth(client, "ack");
      const again = connect(token);
      again.send(helloMessage("session-1"));
      const back = await nth(again, "welcome");
      expect(back).toMatchObject({ sessionEpoch: welcome.sessionEpoch, resumeAfterSeq: 41 });
      expect(back.assignment?.version).toBe(welcome.assignment?.version);
      await vi.waitFor(() => expect(client.ended).toBe(""));
      expect(cases(client, "superseded")).toEqual([]);
      again.send(fixesMessage([goodFix(41), goodFix(42)]));
      expect(verdictsOf(await nth(again, "ack"))).toEqual({ 41: "DUPLICATE", 42: "ACCEPTED" });
      again.close();
      await vi.waitFor(async () => {
        const last = (await recordsOf(driver)).at(-1);
        expect(last).toMatchObject({ kind: "sessionOpened", closed: true });
      });
      const closes = (await recordsOf(driver)).filter((record) => "closed" in record && record.closed);
      expect(closes).toHaveLength(1);
    });

    test("ends a stream that does not begin with Hello", async () => {
      const client = connect(await gateway.token("driver", "driver-a"));
      client.send(fixesMessage([goodFix(0)]));
      expect(await refusalOf(client)).toBe("HELLO_EXPECTED");
    });

    test("tells the older session that a newer one took over", async () => {
      const { client, token, driver } = await open("session-old");
      const { sessionEpoch: oldEpoch } = await nth(client, "welcome");
      const newer = connect(token);
      newer.send(helloMessage("session-new"));
      const { sessionEpoch } = await nth(newer, "welcome");
      expect(sessionEpoch).toBeGreaterThan(oldEpoch);
      expect((await nth(client, "superseded")).sessionEpoch).toBe(sessionEpoch);
      expect(await refusalOf(client)).toBe("SUPERSEDED");
      const stubborn = connect(token);
      stubborn.send(helloMessage("session-old"));
      expect(await refusalOf(stubborn)).toBe("SUPERSEDED");
      newer.send(fixesMessage([goodFix(0)]));
      await nth(newer, "ack");
      expect(await storedSeqs(driver)).toEqual([0]);
    });

    test("ends the stream when another gateway took a newer session in", async () => {
      const { client, driver } = await open();
      const sessionEpoch = Date.now() + 60_000;
      gateway.bus.notify({
        ...{ partyKey: `driver/${driver}`, kind: "sessionOpened" },
        ...{ sessionId: "elsewhere", sessionEpoch },
      });
      expect((await nth(client, "superseded")).sessionEpoch).toBe(BigInt(sessionEpoch));
      expect(await refusalOf(client)).toBe("SUPERSEDED");
    });

    test("ends the stream when its token expires, unless a fresh one came", async () => {
      const tired = connect(await gateway.token("driver", "driver-tired", 60_000));
      tired.send(helloMessage("session-1"));
      await nth(tired, "welcome");
      const fresh = connect(await gateway.token("driver", "driver-fresh", 60_000));
      fresh.send(helloMessage("session-1"));
      await nth(fresh, "welcome");
      const refresh = async (subject: string) =>
        create(PublishRequestSchema, {
          message: { case: "tokenRefresh", value: { token: await gateway.token("driver", subject) } },
        });
      tired.send(await refresh("driver-fresh"));
      expect((await nth(tired, "problem")).code).toBe("TOKEN_INVALID");
      fresh.send(await refresh("driver-fresh"));
      fresh.send(fixesMessage([goodFix(0)]));
      await nth(fresh, "ack");
      gateway.clock.shiftMs = 90_000;
      expect(await refusalOf(tired)).toBe("TOKEN_EXPIRED");
      fresh.send(fixesMessage([goodFix(1, Date.now() + 90_000)], 2, Date.now() + 90_000));
      await nth(fresh, "ack", 2);
      gateway.clock.shiftMs = 0;
    });

    test("tells the driver of the trip, in Welcome and on change", async () => {
      const driver = "driver-busy";
      gateway.trips.byDriver.set(driver, tripOf(driver, 1));
      const { client } = await open("session-1", driver);
      const { assignment, wantedRate } = await nth(client, "welcome");
      expect(assignment?.trip).toMatchObject({ driverId: driver, version: 1n });
      expect(wantedRate).toMatchObject({ intervalMs: 4_000, reason: "ON_TRIP" });
      gateway.trips.byDriver.delete(driver);
      const told = { partyKey: `driver/${driver}`, kind: "assignmentChanged" } as const;
      gateway.bus.notify({ ...told, tripId: "test-1", tripVersion: 2 });
      const changed = await nth(client, "assignment");
      expect(changed.trip).toBeUndefined();
      expect(changed.version).toBeGreaterThan(assignment?.version ?? 0n);
      expect(await nth(client, "wantedRate")).toMatchObject({ intervalMs: 10_000, reason: "IDLE" });
    });

    test("welcomes without an assignment while the trips store is away", async () => {
      gateway.trips.down = true;
      const { client } = await open();
      gateway.trips.down = false;
      expect((await nth(client, "welcome")).assignment).toMatchObject({ version: 0n });
    });

    test("puts each change of the device's state into the log once", async () => {
      const { client, driver } = await open();
      for (const batteryPercent of [50, 50, 49]) {
        const value = { batteryPercent, charging: false };
        client.send(create(PublishRequestSchema, { message: { case: "deviceState", value } }));
      }
      client.send(
        create(PublishRequestSchema, { message: { case: "deviceState", value: { batteryPercent: 101 } } }),
      );
      expect(await nth(client, "problem")).toMatchObject({ code: "FIELD_INVALID" });
      await vi.waitFor(async () => {
        const states = (await recordsOf(driver)).filter((record) => record.kind === "deviceState");
        expect(states.map(({ state }) => state.batteryPercent)).toEqual([50, 49]);
      });
    });

    test("answers DUPLICATE only once the first copy is durable", async () => {
      const { client } = await open();
      const gate = Promise.withResolvers<void>();
      gateway.log.gate = gate.promise;
      client.send(fixesMessage([goodFix(0)], 1));
      client.send(fixesMessage([goodFix(0)], 2));
      client.send(fixesMessage([], 3));
      expect((await nth(client, "problem")).batchId).toBe(3);
      expect(cases(client, "ack")).toEqual([]);
      gateway.log.gate = Promise.resolve();
      gate.resolve();
      await nth(client, "ack", 2);
      const acks = cases(client, "ack").map(({ value }) => [value.batchId, verdictsOf(value)]);
      expect(acks).toContainEqual([1, { 0: "ACCEPTED" }]);
      expect(acks).toContainEqual([2, { 0: "DUPLICATE" }]);
    });
  });
}

function tripOf(driverId: string, version: number): Trip {
  const place = { latDeg: 57.7, lonDeg: 11.9 };
  const nowMs = Date.now();
  return {
    ...{
      tripId: "test-01arz3ndektsv4rrffq69g5fav",
      region: "test",
      type: "exclusive",
      version,
      generation: 1,
    },
    ...{ status: "ENROUTE_TO_PICKUP", statusSource: "explicit", statusAtMs: nowMs, waypointIndex: 0 },
    ...{ riderIds: ["rider-1"], driverId, plannedPath: [place], createdAtMs: nowMs, updatedAtMs: nowMs },
    waypoints: [
      { kind: "pickup", position: place, riderId: "", label: "" },
      { kind: "dropoff", position: place, riderId: "", label: "" },
    ],
    ...{ assignments: [{ driverId, fromMs: nowMs, toMs: 0 }], endedAtMs: 0, cancelReason: "" },
  };
}
