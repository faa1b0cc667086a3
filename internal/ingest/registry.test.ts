import { describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import type { Appender } from "./appender.ts";
import { type RegisteredStream, SessionRegistry } from "./registry.ts";
import type { SessionState } from "./session-state.ts";

const party = { kind: "driver", id: "driver-1" } as const;
const hello = (sessionId: string) => ({
  ...{ sessionId, party: undefined, deviceId: "", appVersion: "", deviceTimeMs: 0 },
  ...{ lastRegion: "", position: undefined, deviceState: undefined },
});

class Stream implements RegisteredStream {
  readonly state: SessionState;
  readonly heard: string[] = [];

  constructor(state: SessionState) {
    this.state = state;
  }

  replaced = () => void this.heard.push("replaced");
  superseded = () => void this.heard.push("superseded");
  tick = () => {};
  drain = () => {};
  abort = () => {};
  tellDrained = () => {};
  revoked = () => {};
  present = () => undefined;
}

/** Sessions are only made here, nothing is appended. */
const HOME = { region: "test", appender: { partitions: 16 } as Appender };

const make = (limits = {}) => {
  const clock = new VirtualClock(1_000_000);
  return { clock, registry: new SessionRegistry(() => HOME, { ...DEFAULT_LIMITS, ...limits }, clock) };
};

test("an epoch is the wall clock, and beyond every epoch seen where the clock lags behind", () => {
  const { registry } = make();
  const first = registry.session(party, hello("session-a"));
  expect(first.sessionEpoch).toBe(1_000_000);
  expect(registry.session(party, hello("session-a"))).toBe(first);
  registry.openedElsewhere(first, { sessionId: "session-z", sessionEpoch: 5_000_000 });
  expect(registry.session(party, hello("session-b")).sessionEpoch).toBe(5_000_001);
});

test("a superseded session takes over again only once the newer one has no stream here", () => {
  const { registry } = make();
  const older = new Stream(registry.session(party, hello("session-a")));
  registry.attach(older, older.state);
  const newer = new Stream(registry.session(party, hello("session-b")));
  registry.attach(newer, newer.state);
  expect(older.heard).toEqual(["superseded"]);
  registry.detach(older, older.state);
  expect(registry.attach(older, older.state)).toEqual({ byEpoch: newer.state.sessionEpoch, retryAfterMs: 0 });
  expect(registry.detach(newer, newer.state)).toBe(true);
  registry.attach(older, older.state);
  expect(older.state.sessionEpoch).toBe(newer.state.sessionEpoch + 1);
});

test("a backlog by batch takes nothing from a session with a stream, until it opens one itself", () => {
  const { registry } = make();
  const running = new Stream(registry.session(party, hello("session-b")));
  registry.attach(running, running.state);
  const backlog = registry.batchSession(party, hello("session-a"));
  registry.supersedeOlder(backlog);
  expect(running.heard).toEqual([]);
  expect(backlog.sessionEpoch).toBeLessThan(running.state.sessionEpoch);
  const opened = new Stream(backlog);
  registry.attach(opened, backlog);
  expect(running.heard).toEqual(["superseded"]);
  expect(backlog.sessionEpoch).toBeGreaterThan(running.state.sessionEpoch);
});

describe("take-overs at their bound", () => {
  /** Sessions a, b, c and d opened one after the other, each on a stream of its own: three take-overs. */
  const contested = () => {
    const made = make();
    const streams = ["session-a", "session-b", "session-c", "session-d"].map((id) => {
      const stream = new Stream(made.registry.session(party, hello(id)));
      expect(made.registry.attach(stream, stream.state)).toBeUndefined();
      made.clock.advanceTo(made.clock.now() + 1_000);
      return stream;
    });
    const holder = streams[3]!;
    const newcomer = new Stream(made.registry.session(party, hello("session-e")));
    return { ...made, holder, newcomer };
  };

  test("are refused with the wait until there is room, and the one that has the marker is contested", () => {
    const { registry, clock, holder, newcomer } = contested();
    expect(registry.standingOf(holder.state)).toBe("contested");
    // The first take-over was 1 s after the start, now it is 4 s after it.
    const refusal = { byEpoch: holder.state.sessionEpoch, retryAfterMs: 57_000 };
    expect(registry.attach(newcomer, newcomer.state)).toEqual(refusal);
    expect(registry.standingOf(newcomer.state)).toBe("behind");
    expect(holder.heard).toEqual([]);
    clock.advanceTo(clock.now() + 56_999);
    expect(registry.attach(newcomer, newcomer.state)).toMatchObject({ retryAfterMs: 1 });
    clock.advanceTo(clock.now() + 1);
    expect(registry.attach(newcomer, newcomer.state)).toBeUndefined();
    expect(holder.heard).toEqual(["superseded"]);
    expect(registry.standingOf(newcomer.state)).toBe("contested");
  });

  test("are open to all once the stream of the one that has the marker is gone", () => {
    const { registry, holder, newcomer } = contested();
    registry.detach(holder, holder.state);
    expect(registry.attach(newcomer, newcomer.state)).toBeUndefined();
    expect(registry.standingOf(newcomer.state)).toBe("contested");
  });

  test("leave batches of those who were refused, or come new, behind the marker", () => {
    const { registry, holder, newcomer } = contested();
    registry.attach(newcomer, newcomer.state);
    for (const sessionId of ["session-e", "session-f"]) {
      const backlog = registry.batchSession(party, hello(sessionId));
      registry.supersedeOlder(backlog);
      expect(backlog.sessionEpoch).toBeLessThan(holder.state.sessionEpoch);
    }
    expect(registry.standingOf(holder.state)).toBe("contested");
    expect(holder.heard).toEqual([]);
  });

  test("are refused to a session of another gateway too, and one that was kept there is known here", () => {
    const { registry, clock, holder } = contested();
    const opened = { sessionId: "session-z", sessionEpoch: 9_000_000 };
    const kept = registry.openedElsewhere(holder.state, opened);
    expect(kept).toEqual({
      ...{ sessionId: "session-d", sessionEpoch: 9_000_001 },
      takeOversMs: [1_001_000, 1_002_000, 1_003_000],
    });
    expect(holder.state.sessionEpoch).toBe(9_000_001);
    const elsewhere = { sessionId: "session-y", sessionEpoch: 9_000_002, takeOversMs: [] };
    expect(registry.markerTold(holder.state, elsewhere)).toBe(57_000);
    expect(registry.attach(holder, holder.state)).toEqual({ byEpoch: 9_000_002, retryAfterMs: 57_000 });
    clock.advanceTo(clock.now() + 57_000);
    expect(registry.attach(holder, holder.state)).toBeUndefined();
  });
});

test("a batch of a session that is alone moves the marker", () => {
  const { registry } = make();
  const alone = registry.batchSession(party, hello("session-a"));
  expect(alone.sessionEpoch).toBe(1_000_000);
  expect(registry.standingOf(alone)).toBe("behind");
  registry.supersedeOlder(alone);
  expect(registry.standingOf(alone)).toBe("movesMarker");
  expect(alone.staysBehind).toBe(false);
});

test("a second stream of a session replaces the first, and the first's end is not the session's", () => {
  const { registry } = make();
  const state = registry.session(party, hello("session-a"));
  const [first, second] = [new Stream(state), new Stream(state)];
  registry.attach(first, state);
  registry.attach(second, state);
  expect(first.heard).toEqual(["replaced"]);
  expect(registry.detach(first, state)).toBe(false);
  expect(registry.detach(second, state)).toBe(true);
});

test("sessions and parties beyond the bounds are forgotten, the longest unused first, those with a stream never", () => {
  const { registry } = make({ maxSessionsPerParty: 2, maxKnownParties: 3 });
  const streaming = new Stream(registry.session(party, hello("session-a")));
  registry.attach(streaming, streaming.state);
  const forgotten = registry.session(party, hello("session-b"));
  for (const id of ["session-c", "session-d"]) registry.session(party, hello(id));
  expect(registry.session(party, hello("session-a"))).toBe(streaming.state);
  expect(registry.session(party, hello("session-b"))).not.toBe(forgotten);
  for (let i = 0; i < 20; i++) registry.session({ kind: "rider", id: `rider-${i}` }, hello("session-a"));
  expect(registry.partyCount).toBe(3);
  expect(registry.session(party, hello("session-a"))).toBe(streaming.state);
});

test("parties that were silent for 48 h are forgotten", () => {
  const { registry, clock } = make();
  registry.session(party, hello("session-a"));
  clock.advanceTo(clock.now() + DEFAULT_LIMITS.partyIdleMs + 1);
  registry.sweep();
  expect(registry.partyCount).toBe(0);
});
