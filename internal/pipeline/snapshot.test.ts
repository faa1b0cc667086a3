import { fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { STAGES_LOAD, stagesLoad } from "../../bench/stages-load.ts";
import { PartitionSnapshotSchema } from "../../gen/bimride/state/v1/state_pb.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { PipelineOutput } from "./output.ts";
import { createPartitionState, type PipelineEntry, processEntry } from "./pipeline.ts";
import { decodeState, encodeState, STATE_FORMAT } from "./snapshot.ts";
import type { PartitionState } from "./state.ts";

const LIMITS = { ...DEFAULT_LIMITS, partitions: 1 };

/** A small fleet with sessions that open and close and devices that tell of themselves. */
function entriesOf(seed: number): PipelineEntry[] {
  const { entries } = stagesLoad({
    ...STAGES_LOAD,
    parties: 6,
    fixesPerParty: 60,
    fixesPerBatch: 1,
    intervalS: 4,
    lateShare: 0.1,
    seed,
  });
  return entries.map((entry, i) => ({ ...entry, records: [...entry.records, ...extra(i, entry)] }));
}

function extra(i: number, entry: PipelineEntry): LogRecord[] {
  const party = { kind: "driver" as const, id: `driver-${i % 6}` };
  const sessionId = `session-${String(i % 6).padStart(8, "0")}`;
  const session = { party, sessionId, sessionEpoch: 1_767_600_000_000, receivedAtMs: entry.loggedAtMs };
  if (i % 17 === 3)
    return [{ kind: "deviceState", ...session, state: { batteryPercent: i % 100, network: "wifi" } }];
  if (i % 17 === 9) {
    return [
      {
        kind: "sessionOpened",
        ...session,
        deviceId: "d",
        appVersion: "1",
        transport: "grpc",
        closed: i % 2 > 0,
        lost: i % 4 > 1,
      },
    ];
  }
  if (i % 61 === 40)
    return [{ kind: "erased", receivedAtMs: entry.loggedAtMs, party: { kind: "rider", id: "r" } }];
  return [];
}

function outputsOf(state: PartitionState, entries: readonly PipelineEntry[]) {
  const out = new PipelineOutput();
  for (const entry of entries) processEntry(state, entry, LIMITS, out);
  return structuredClone({ ...out });
}

describe("a snapshot of the pipeline", () => {
  it("taken anywhere goes on with the same outputs as the state itself", () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.double({ min: 0, max: 1, noNaN: true }), (seed, part) => {
        const entries = entriesOf(seed);
        const cut = Math.floor(part * entries.length);
        const state = createPartitionState(0);
        outputsOf(state, entries.slice(0, cut));
        const restored = decodeState(encodeState(state), LIMITS);
        expect(outputsOf(restored, entries.slice(cut))).toEqual(outputsOf(state, entries.slice(cut)));
        expect(encodeState(restored)).toEqual(encodeState(state));
      }),
      { numRuns: 12 },
    );
  });

  it("of a state restored from it is the same snapshot", () => {
    const state = createPartitionState(3);
    outputsOf(state, entriesOf(1));
    const bytes = encodeState(state);
    const restored = decodeState(bytes, LIMITS);
    expect(encodeState(restored)).toEqual(bytes);
    expect(restored.partition).toBe(3);
    expect(restored.cursor).toBe(state.cursor);
    expect([...restored.tripOfDriver.keys()].sort()).toEqual([...state.tripOfDriver.keys()].sort());
    expect(restored.parties.driver.get("driver-0")!.position).toMatchObject({
      latDeg: state.parties.driver.get("driver-0")!.position.latDeg,
      trusted: true,
    });
  });

  it("of an empty partition is an empty partition", () => {
    expect(decodeState(encodeState(createPartitionState(7)))).toEqual(createPartitionState(7));
  });

  it("of the format before is read: nobody shares a place", () => {
    const state = createPartitionState(3);
    outputsOf(state, entriesOf(1));
    const before = fromBinary(PartitionSnapshotSchema, encodeState(state));
    before.format = STATE_FORMAT - 1;
    before.shares = [];
    expect(decodeState(toBinary(PartitionSnapshotSchema, before), LIMITS)).toEqual(
      decodeState(encodeState(state), LIMITS),
    );
  });

  it("that is damaged or of another format is refused", () => {
    const code = expect.objectContaining({ code: "MESSAGE_INVALID" });
    const thrown = (bytes: Uint8Array) => {
      try {
        return decodeState(bytes);
      } catch (error) {
        return error;
      }
    };
    expect(thrown(Uint8Array.of(0xff, 0xff, 0xff))).toEqual(code);
    expect(thrown(Uint8Array.of(0x08, 99))).toEqual(code);
    expect(thrown(new Uint8Array())).toEqual(code);
  });

  it("costs less than 5 KB per car on a trip", () => {
    const { entries } = stagesLoad({ ...STAGES_LOAD, parties: 50, onTripShare: 1, pathPoints: 2 });
    const state = createPartitionState(0);
    outputsOf(state, entries);
    expect(encodeState(state).length / 50).toBeLessThan(5_120);
  });
});
