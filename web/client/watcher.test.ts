import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Freshness } from "../../gen/bimride/tracking/v1/live_pb.ts";
import {
  type FakeTransport,
  fakeTransport,
  heartbeat,
  snapshot,
  started,
  unavailable,
  update,
  version,
} from "./fake-transport.ts";
import { formatLiveVersion } from "./live-version.ts";
import { WatchFailure } from "./transport.ts";
import { createWatcher, type TripState, type Watcher } from "./watcher.ts";

const TRIP = "gbg-00000000000000000000000000";
const HOUR_MS = 3_600_000;

let stream: FakeTransport;
let socket: FakeTransport;
let polling: FakeTransport;
let watcher: Watcher | undefined;
let tokens = 0;
let random = 0.5;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  stream = fakeTransport("stream", true);
  socket = fakeTransport("websocket");
  polling = fakeTransport("polling");
  tokens = 0;
  random = 0.5;
});
afterEach(() => {
  watcher?.close();
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const state = (): TripState => watcher!.states.get(TRIP)!;

async function watch(source: () => Promise<string> = async () => `token-${++tokens}`): Promise<void> {
  watcher = createWatcher({
    baseUrl: "http://127.0.0.1",
    tripIds: [TRIP],
    token: source,
    transports: [stream, socket, polling],
    random: () => random,
  });
  await pass(1);
}

/** Connects on a transport and shows the first version. */
async function connectOn(fake: FakeTransport, of = version(1)): Promise<void> {
  const session = fake.sessions.at(-1)!;
  session.send(started(Date.now(), HOUR_MS));
  session.send(snapshot(TRIP, of));
  await pass(1);
}

describe("the watcher", () => {
  it("starts on the stream and shows the snapshot", async () => {
    await watch();
    expect(state().connection).toMatchObject({ transport: "offline", reason: "starting" });
    await connectOn(stream);
    expect(state().connection).toMatchObject({ transport: "stream", reason: "connected" });
    expect(formatLiveVersion(state().version!)).toBe("1.1.0");
    expect(socket.sessions).toHaveLength(0);
  });

  it("polls within 10 s when streams hang and WebSockets hang, and says so in words", async () => {
    await watch();
    await pass(6_100);
    expect(polling.sessions).toHaveLength(1);
    await connectOn(polling);
    expect(state().connection.transport).toBe("polling");
    expect(state().connection.text).toMatch(/every few seconds/);
  });

  it("polls at once when streams and WebSockets are refused", async () => {
    stream.mode = "refuse";
    socket.mode = "refuse";
    await watch();
    await connectOn(polling);
    expect(state().connection.transport).toBe("polling");
  });

  it("climbs back from polling to the stream and resumes after the version it shows", async () => {
    stream.mode = "refuse";
    socket.mode = "refuse";
    await watch();
    await connectOn(polling, version(7));
    stream.mode = "ok";
    await pass(16_000);
    const session = stream.sessions.at(-1)!;
    expect(session.targets[0]!.resumeAfter).toMatchObject({ sequence: 7n });
    expect(state().connection.transport).toBe("polling");
    session.send(update(TRIP, version(8)));
    await pass(1);
    expect(state().connection.transport).toBe("stream");
    expect(polling.sessions[0]!.ended).toBe(true);
    expect(stream.sessions).toHaveLength(1);
  });

  it("keeps polling while probes fail, and probes ever less often", async () => {
    stream.mode = "refuse";
    socket.mode = "refuse";
    await watch();
    await connectOn(polling);
    const opened = vi.spyOn(stream, "open");
    for (let i = 0; i < 120; i++) {
      polling.sessions[0]!.send(heartbeat());
      await pass(10_000);
    }
    expect(state().connection.transport).toBe("polling");
    expect(opened.mock.calls.length).toBeGreaterThan(3);
    expect(opened.mock.calls.length).toBeLessThan(12);
  });

  it("calls a silent stream dead a little after two heartbeats and resumes", async () => {
    await watch();
    await connectOn(stream);
    await pass(31_000);
    expect(stream.sessions).toHaveLength(1);
    await pass(2_000);
    expect(stream.sessions).toHaveLength(2);
    expect(stream.sessions[1]!.targets[0]!.resumeAfter).toMatchObject({ sequence: 1n });
  });

  it("lives on heartbeats", async () => {
    await watch();
    await connectOn(stream);
    for (let i = 0; i < 20; i++) {
      stream.sessions[0]!.send(heartbeat());
      await pass(15_000);
    }
    expect(stream.sessions).toHaveLength(1);
  });

  it("waits longer and longer while nothing gets through, and not on a connect but on a message starts anew", async () => {
    random = 0.999;
    await watch();
    await connectOn(stream);
    for (const fake of [stream, socket, polling]) fake.mode = "refuse";
    const opened = vi.spyOn(stream, "open");
    stream.sessions[0]!.fail();
    await pass(60_000);
    expect(state().connection).toMatchObject({ transport: "offline", reason: "unreachable" });
    const tries = opened.mock.calls.length;
    expect(tries).toBeGreaterThan(4);
    expect(tries).toBeLessThan(12);
    stream.mode = "ok";
    watcher!.wake();
    await pass(1);
    await connectOn(stream, version(2));
    expect(state().connection.transport).toBe("stream");
    stream.sessions.at(-1)!.fail();
    await pass(600);
    expect(stream.sessions.at(-1)!.ended).toBe(false);
  });

  it("tries at once when woken", async () => {
    random = 0.999;
    for (const fake of [stream, socket, polling]) fake.mode = "refuse";
    await watch();
    await pass(40_000);
    stream.mode = "ok";
    watcher!.wake();
    await pass(1);
    expect(stream.sessions).toHaveLength(1);
  });

  it("extends the watch with a fresh token before the old one expires", async () => {
    await watch();
    stream.refreshTo = Date.now() + 2 * HOUR_MS;
    await connectOn(stream);
    for (let i = 0; i < 240; i++) {
      stream.sessions[0]!.send(heartbeat());
      await pass(15_000);
    }
    expect(stream.refreshes).toEqual(["token-2"]);
    expect(stream.sessions).toHaveLength(1);
  });

  it("opens a new session with a fresh token where the watch can't be extended", async () => {
    stream.mode = "refuse";
    await watch();
    const first = socket.sessions[0]!;
    first.send(started(Date.now(), 60_000));
    first.send(snapshot(TRIP, version(1)));
    await pass(25_000);
    first.send(heartbeat());
    await pass(20_000);
    expect(first.ended).toBe(true);
    expect(socket.sessions).toHaveLength(2);
  });

  it("recovers from an expired token with a fresh one, at once", async () => {
    await watch();
    stream.sessions[0]!.fail(new WatchFailure("TOKEN_EXPIRED", { unauthenticated: true }));
    await pass(1);
    expect(stream.sessions[1]!.token).toBe("token-2");
    await connectOn(stream);
    expect(state().connection.transport).toBe("stream");
  });

  it("recovers when the token's source fails for a while", async () => {
    let broken = true;
    await watch(async () => {
      if (broken) throw new Error("source away");
      return "token";
    });
    expect(state().connection.reason).toBe("no-token");
    broken = false;
    await pass(300);
    await connectOn(stream);
    expect(state().connection.transport).toBe("stream");
  });

  it("goes on with the next way when sessions keep breaking soon after they start", async () => {
    await watch();
    for (let i = 0; i < 3; i++) {
      await connectOn(stream, version(i + 1));
      stream.sessions.at(-1)!.fail();
      await pass(600);
    }
    expect(socket.sessions.length).toBe(1);
  });

  it("ends for a trip that is not there, and asks again for one that may be", async () => {
    await watch();
    stream.sessions[0]!.send(started(Date.now(), HOUR_MS));
    stream.sessions[0]!.send(unavailable(TRIP, "UNAVAILABLE", true));
    await pass(5_600);
    expect(stream.sessions.length).toBe(2);
    stream.sessions[1]!.send(unavailable(TRIP, "NOT_FOUND", false));
    await pass(1);
    expect(state().problem).toEqual({ code: "NOT_FOUND", retryable: false });
    expect(state().connection).toMatchObject({ transport: "offline", reason: "finished" });
    await pass(HOUR_MS);
    expect(stream.sessions.length).toBe(2);
  });

  it("lets a position grow stale when the server is away, and fresh again after it is back", async () => {
    await watch();
    await connectOn(stream);
    for (const fake of [stream, socket, polling]) fake.mode = "refuse";
    stream.sessions[0]!.fail();
    await pass(12_000);
    expect(state().freshness).toMatchObject({ freshness: Freshness.DELAYED, assumed: true });
    await pass(20_000);
    expect(state().freshness.freshness).toBe(Freshness.STALE);
    stream.mode = "ok";
    watcher!.wake();
    await pass(1);
    await connectOn(stream, version(2));
    expect(state().freshness).toMatchObject({ freshness: Freshness.LIVE, assumed: false });
  });

  it("doubts a position that grows old on a stream that hangs, before the stream is called dead", async () => {
    await watch();
    await connectOn(stream);
    await pass(20_000);
    expect(state().connection.transport).toBe("stream");
    expect(state().freshness.freshness).toBe(Freshness.DELAYED);
  });

  it("gives a slow reader of its iterator only the newest state", async () => {
    await watch();
    await connectOn(stream);
    const iterator = watcher![Symbol.asyncIterator]();
    expect(formatLiveVersion((await iterator.next()).value.version)).toBe("1.1.0");
    for (let sequence = 2; sequence < 50; sequence++)
      stream.sessions[0]!.send(update(TRIP, version(sequence)));
    await pass(1);
    expect(formatLiveVersion((await iterator.next()).value.version)).toBe("1.49.0");
    watcher!.close();
    expect((await iterator.next()).done).toBe(true);
  });

  it("says nothing after it was closed and leaves no timer behind", async () => {
    await watch();
    await connectOn(stream);
    let calls = 0;
    watcher!.subscribe(() => calls++);
    watcher!.close();
    calls = 0;
    await pass(120_000);
    expect(calls).toBe(0);
    expect(stream.sessions.every((session) => session.ended)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
