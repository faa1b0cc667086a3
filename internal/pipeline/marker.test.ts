import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { PartitionSnapshotSchema } from "../../gen/bimride/state/v1/state_pb.ts";
import type { LogRecord } from "../eventlog/record.ts";
import type { PipelineOutput } from "./output.ts";
import { createPartitionState, type PipelineEntry } from "./pipeline.ts";
import { decodeState, encodeState } from "./snapshot.ts";
import { batchOf, CAR, fixOf, HERE, LIMITS, run, T0 } from "./test-drives.ts";

const party = { kind: "driver", id: CAR } as const;

/** What several phones of one driver put into the log; each phone has an epoch per opening. */
class Phones {
  readonly log: PipelineEntry[] = [];
  #epoch = 0;
  readonly #epochs = new Map<string, number>();
  #seq = 0;

  open(sessionId: string, atS: number): this {
    this.#epochs.set(sessionId, ++this.#epoch);
    return this.#session(sessionId, atS, false);
  }

  close(sessionId: string, atS: number): this {
    return this.#session(sessionId, atS, true);
  }

  fix(sessionId: string, atS: number): this {
    const atMs = T0 + atS * 1_000;
    const fixes = [fixOf(this.#seq++, atMs, atS * 10)];
    return this.#add(batchOf(atMs, fixes, { sessionId, sessionEpoch: this.#epochs.get(sessionId)! }));
  }

  #session(sessionId: string, atS: number, closed: boolean): this {
    const sessionEpoch = this.#epochs.get(sessionId)!;
    const device = { deviceId: sessionId, appVersion: "1", transport: "grpc" };
    const receivedAtMs = T0 + atS * 1_000;
    return this.#add({
      kind: "sessionOpened",
      party,
      sessionId,
      sessionEpoch,
      receivedAtMs,
      ...device,
      closed,
      lost: false,
    });
  }

  #add(record: LogRecord): this {
    const loggedAtMs = record.receivedAtMs;
    this.log.push({ sequence: this.log.length + 1, loggedAtMs, records: [record] });
    return this;
  }

  /** Which fixes moved the marker, as seconds. */
  moved(): number[] {
    const outs = run(createPartitionState(HERE), this.log);
    return movedIn(outs).map((atMs) => (atMs - T0) / 1_000);
  }
}

function movedIn(outs: readonly PipelineOutput[]): number[] {
  return outs.flatMap(({ parties }) => parties.map(({ capturedAtMs }) => capturedAtMs));
}

test("the newest session moves the marker, and a session that lost it gets it back by opening anew", () => {
  const phones = new Phones().open("phone-a1", 0).fix("phone-a1", 1).open("phone-b1", 2).fix("phone-b1", 3);
  phones.fix("phone-a1", 4).open("phone-a1", 5).fix("phone-a1", 6).fix("phone-b1", 7);
  expect(phones.moved()).toEqual([1, 3, 6]);
});

test("after three take-overs in a minute the marker stays, and goes on to the newest once there is room", () => {
  const phones = new Phones().open("phone-a1", 0);
  phones.open("phone-b1", 1).open("phone-a1", 2).open("phone-b1", 3).open("phone-a1", 4);
  for (const atS of [10, 30, 50, 60, 61, 62]) phones.fix("phone-a1", atS).fix("phone-b1", atS + 0.5);
  // The first take-over, at 1 s, has left the minute at 61 s.
  expect(phones.moved()).toEqual([10.5, 30.5, 50.5, 60.5, 61, 62]);
});

test("while take-overs wait, the marker goes on at once when the stream of the one that has it closes", () => {
  const phones = new Phones().open("phone-a1", 0);
  phones.open("phone-b1", 1).open("phone-a1", 2).open("phone-b1", 3).open("phone-a1", 4);
  phones.fix("phone-a1", 5).close("phone-b1", 6).fix("phone-a1", 7).fix("phone-b1", 8);
  expect(phones.moved()).toEqual([7]);
});

test("what still comes of a session whose stream has closed takes nothing over", () => {
  const phones = new Phones().open("phone-a1", 0);
  phones.open("phone-b1", 1).open("phone-a1", 2).open("phone-b1", 3).open("phone-a1", 4).close("phone-a1", 5);
  phones.fix("phone-b1", 70).fix("phone-a1", 71).fix("phone-b1", 72);
  expect(phones.moved()).toEqual([70, 72]);
});

test("the late word of an earlier stream's end closes nothing", () => {
  const phones = new Phones().open("phone-a1", 0);
  const before = phones.log.length;
  phones.close("phone-a1", 9);
  const [end] = phones.log.splice(before);
  phones.open("phone-b1", 1).open("phone-a1", 2).open("phone-b1", 3).open("phone-b1", 4);
  phones.open("phone-a1", 5);
  phones.log.push({ ...end!, sequence: phones.log.length + 1 });
  expect(phones.fix("phone-b1", 10).fix("phone-a1", 11).moved()).toEqual([10]);
});

test("however phones open, close and send, the marker changes hands at most three times in a minute but for streams that closed", () => {
  const act = fc.record({
    phone: fc.constantFrom("phone-a1", "phone-b1", "phone-c1"),
    what: fc.constantFrom("open", "open", "fix", "fix", "fix"),
    gapS: fc.integer({ min: 0, max: 15 }),
  });
  fc.assert(
    fc.property(fc.array(act, { minLength: 5, maxLength: 80 }), fc.nat(80), (acts, cut) => {
      const phones = new Phones();
      for (const id of ["phone-a1", "phone-b1", "phone-c1"]) phones.open(id, 0);
      let atS = 100;
      for (const { phone, what, gapS } of acts) {
        atS += gapS;
        if (what === "open") phones.open(phone, atS);
        else phones.fix(phone, atS);
      }
      const state = createPartitionState(HERE);
      const changesMs: number[] = [];
      let marker = "";
      let restored = createPartitionState(HERE);
      for (const [i, entry] of phones.log.entries()) {
        run(state, [entry]);
        run(restored, [entry]);
        if (i === cut) restored = decodeState(encodeState(restored), LIMITS);
        const now = state.parties.driver.get(CAR)!.marker!.sessionId;
        if (marker !== "" && now !== marker) changesMs.push(state.pipelineTimeMs);
        marker = now;
      }
      for (let i = 3; i < changesMs.length; i++)
        expect(changesMs[i]! - changesMs[i - 3]!).toBeGreaterThanOrEqual(LIMITS.takeOverWindowMs);
      expect(encodeState(restored)).toEqual(encodeState(state));
    }),
    { numRuns: 200 },
  );
});

test("a snapshot of the format before is read: there the newest session had the marker", () => {
  const phones = new Phones().open("phone-a1", 0);
  phones.open("phone-b1", 1).open("phone-a1", 2).open("phone-b1", 3).open("phone-a1", 4);
  const state = createPartitionState(HERE);
  run(state, phones.log);
  const markerIn = (bytes: Uint8Array) =>
    decodeState(bytes, LIMITS).parties.driver.get(CAR)!.marker?.sessionId;
  const bytes = encodeState(state);
  expect(markerIn(bytes)).toBe("phone-b1");
  const older = fromBinary(PartitionSnapshotSchema, bytes);
  older.format = 1;
  for (const party of older.parties) Object.assign(party, { markerSessionId: "", takeOversMs: [] });
  expect(markerIn(toBinary(PartitionSnapshotSchema, older))).toBe("phone-a1");
});
