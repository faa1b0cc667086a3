import { expect, test } from "vitest";
import type { Fix, Party } from "../core/fix.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { createPartitionState, type PipelineEntry } from "./pipeline.ts";
import { batchOf, CAR, fixOf, HERE, run, T0, tripOf } from "./test-drives.ts";

const party: Party = { kind: "driver", id: CAR };
const SESSION = { party, sessionId: "session-0", sessionEpoch: 1 };

/** A partition with a trip under way, and what its viewers are told of the device with each record. */
function world() {
  const state = createPartitionState(HERE);
  let sequence = 0;
  let atMs = T0;
  const told = (record: LogRecord) => {
    const entry: PipelineEntry = { sequence: ++sequence, loggedAtMs: atMs, records: [record] };
    const [out] = run(state, [entry]);
    return out!.changes.flatMap(({ device }) => device ?? []);
  };
  const next = () => {
    atMs += 4_000;
    return atMs;
  };
  let seq = 0;
  const fix = (fields: Partial<Fix> = {}) => {
    const capturedAtMs = next();
    return told(batchOf(capturedAtMs, [fixOf(seq++, capturedAtMs, seq * 40, fields)]));
  };
  const session = (is: "opened" | "closed" | "lost") =>
    told({
      ...{ kind: "sessionOpened", ...SESSION, receivedAtMs: next(), deviceId: "phone", appVersion: "1" },
      ...{ transport: "grpc", closed: is !== "opened", lost: is === "lost" },
    });
  const deviceState = (mockLocation: boolean) =>
    told({ kind: "deviceState", ...SESSION, receivedAtMs: next(), state: { mockLocation } });
  told({ kind: "tripChange", receivedAtMs: T0, trip: tripOf({ driverId: CAR }) });
  return { fix, session, deviceState };
}

test("tells a goodbye from a connection that broke, each once", () => {
  const { fix, session } = world();
  session("opened");
  fix();
  expect(session("closed")).toMatchObject([{ connected: false, lost: false }]);
  expect(session("closed")).toEqual([]);
  expect(session("opened")).toMatchObject([{ connected: true, lost: false }]);
  expect(session("lost")).toMatchObject([{ connected: false, lost: true }]);
  expect(session("lost")).toEqual([]);
  expect(session("opened")).toMatchObject([{ connected: true, lost: false }]);
});

test("tells of made-up positions when they begin and when they end, not with each", () => {
  const { fix, session } = world();
  session("opened");
  expect(fix()).toEqual([]);
  expect(fix({ mock: true })).toMatchObject([{ mockFix: true, connected: true }]);
  expect(fix({ mock: true })).toEqual([]);
  expect(session("lost")).toMatchObject([{ mockFix: true, lost: true }]);
  session("opened");
  expect(fix()).toMatchObject([{ mockFix: false }]);
  expect(fix()).toEqual([]);
});

test("what the device reports and what its fixes say are kept apart", () => {
  const { fix, deviceState } = world();
  fix({ mock: true });
  expect(deviceState(false)).toMatchObject([{ state: { mockLocation: false }, mockFix: true }]);
  expect(deviceState(true)).toMatchObject([{ state: { mockLocation: true }, mockFix: true }]);
  expect(fix()).toMatchObject([{ state: { mockLocation: true }, mockFix: false }]);
});
