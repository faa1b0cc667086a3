import { describe, expect, test } from "vitest";
import { VerdictCode } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { ErrorCode } from "../../core/errors.ts";
import { type IngestTransport, refusedAs } from "./clients.ts";
import {
  cases,
  type FixInit,
  fixesMessage,
  goodFix,
  helloMessage,
  nth,
  useRig,
  verdictsOf,
} from "./conformance-rig.ts";
import { spoolConformance } from "./conformance-spool.ts";
import { streamConformance } from "./conformance-streams.ts";

const HOUR_MS = 3_600_000;

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

/**
 * What every way in must do, through the transport's own client against a whole gateway; for streams also what only
 * they have.
 */
export function ingestConformance(transport: IngestTransport): void {
  describe(`ingest over ${transport.name}`, () => {
    const rig = useRig(transport);
    const { connect, open, recordsOf, storedSeqs, refusalOf, problems } = rig;

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
      const refused = () => rig.gateway.metric("bimride_ingest_fixes_total", { verdict: "INVALID" });
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
      const expired = await rig.gateway.token("driver", "driver-x", 1_000);
      rig.gateway.clock.shiftMs = 5_000;
      const attempts: [string | undefined, ErrorCode][] = [
        [undefined, "TOKEN_MISSING"],
        ["nonsense", "TOKEN_INVALID"],
        [expired, "TOKEN_EXPIRED"],
        [await rig.gateway.token("support", "somebody"), "ROLE_FORBIDDEN"],
      ];
      for (const [token, code] of attempts) {
        const before = await problems(code);
        const client = connect(token);
        client.send(helloMessage("session-1"));
        client.send(fixesMessage([goodFix(0)]));
        expect(await refusalOf(client)).toBe(refusedAs(transport, code));
        expect(await problems(code)).toBe(before + 1);
      }
      rig.gateway.clock.shiftMs = 0;
      expect(await storedSeqs("driver-x")).toEqual([]);
    });

    test("refuses another party's id", async () => {
      const client = connect(await rig.gateway.token("driver", "driver-a"));
      client.send(helloMessage("session-1", { kind: 1, id: "driver-b" }));
      client.send(fixesMessage([goodFix(0)]));
      expect(await refusalOf(client)).toBe("PARTY_MISMATCH");
      const same = connect(await rig.gateway.token("driver", "driver-a"));
      same.send(helloMessage("session-1", { kind: 2, id: "driver-a" }));
      same.send(fixesMessage([goodFix(0)]));
      expect(await refusalOf(same)).toBe("PARTY_MISMATCH");
      expect(await storedSeqs("driver-b")).toEqual([]);
    });

    test("refuses a session id that is not one", async () => {
      const client = connect(await rig.gateway.token("driver", "driver-a"));
      client.send(helloMessage("short"));
      if (!transport.streams) client.send(fixesMessage([goodFix(0)]));
      expect((await nth(client, "problem")).code).toBe("SESSION_ID_INVALID");
    });

    test.each(["LOG_UNAVAILABLE", "LOG_FULL"] as const)(
      "withholds the verdict while the log answers %s, and accepts the repeat",
      async (failure) => {
        const { client, driver } = await open();
        rig.gateway.log.failure = failure;
        client.send(fixesMessage([goodFix(0)], 3));
        const problem = await nth(client, "problem");
        rig.gateway.log.failure = undefined;
        expect(problem.code).toBe(failure);
        if (transport.streams) expect(problem).toMatchObject({ retryable: true, batchId: 3 });
        expect(cases(client, "ack")).toEqual([]);
        client.send(fixesMessage([goodFix(0)]));
        expect(verdictsOf(await nth(client, "ack"))).toEqual({ 0: "ACCEPTED" });
        expect(await storedSeqs(driver)).toEqual([0]);
      },
    );

    test("tells who sends too much to wait", async () => {
      const { limits } = rig.gateway;
      const burst = limits.maxFixBurstPerSession;
      limits.maxFixBurstPerSession = 5;
      const { client } = await open();
      client.send(fixesMessage(Array.from({ length: 9 }, (_, seq) => goodFix(seq))));
      const ack = await nth(client, "ack");
      limits.maxFixBurstPerSession = burst;
      expect(Object.values(verdictsOf(ack)).filter((name) => name === "RATE_LIMITED")).toHaveLength(4);
      expect(ack.retryAfterMs).toBeGreaterThan(0);
    });

    if (transport.streams) streamConformance(rig, transport);
  });
  describe(`ingest over ${transport.name} with a spool`, () => spoolConformance(transport));
}
