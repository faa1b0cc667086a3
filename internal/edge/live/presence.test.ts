import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, test, vi } from "vitest";
import { LiveService } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import type { Role } from "../../auth/principal.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import type { Trip } from "../../core/trip.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { tripOf } from "../../live/kit.ts";
import { someTripId, startTestEdge, type TestEdge } from "../kit.ts";

const START_MS = 1_700_000_000_000;
const TRIP = tripOf(someTripId(1));
const { watchedRepeatMs, watchedForMs } = DEFAULT_LIMITS;

/** What the driver and the rider of the trip hear of viewers. */
async function listen(edge: TestEdge): Promise<string[]> {
  const heard: string[] = [];
  for (const party of ["driver/d1", "rider/r1"])
    await edge.bus.listen(party, (message) => {
      if (message.kind !== "watched") return;
      expect(message).toMatchObject({ tripId: TRIP.tripId, forMs: watchedForMs });
      heard.push(party);
    });
  return heard;
}

/** Watches until the trip is told of; the returned function ends it. */
async function watch(edge: TestEdge, role: Role, subject: string): Promise<() => void> {
  const token = await edge.token(role, subject);
  const transport = createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1" });
  const abort = new AbortController();
  const headers = { authorization: `Bearer ${token}` };
  const stream = createClient(LiveService, transport)
    .watchTrips({ targets: [{ tripId: TRIP.tripId }] }, { signal: abort.signal, headers })
    [Symbol.asyncIterator]();
  for (;;) {
    const { value } = await stream.next();
    if (value?.message.case === "snapshot") break;
  }
  return () => abort.abort();
}

const poll = async (edge: TestEdge, role: Role, subject: string) => {
  const headers = { authorization: `Bearer ${await edge.token(role, subject)}` };
  return fetch(`${edge.url}/v1/trips/${TRIP.tripId}/live`, { headers });
};

async function edgeWith(trip: Trip, clock: VirtualClock) {
  const edge = await startTestEdge(new Map([[trip.tripId, trip]]), { clock });
  await edge.start(trip);
  return edge;
}

test("the driver hears of a viewer while there is one, and of none once they left", async () => {
  const clock = new VirtualClock(START_MS);
  await using edge = await edgeWith(TRIP, clock);
  const heard = await listen(edge);
  const leave = await watch(edge, "rider", "r1");
  expect(heard).toEqual(["driver/d1"]);
  clock.advanceTo(START_MS + 3 * watchedRepeatMs);
  expect(heard).toHaveLength(4);
  leave();
  await vi.waitFor(async () => {
    const metrics = await edge.registry.metrics();
    expect(metrics).toContain('bimride_edge_watches{kind="trips"} 0');
  });
  clock.advanceTo(START_MS + 9 * watchedRepeatMs);
  expect(heard).toHaveLength(4);
});

test("a driver who looks at the own trip is no viewer of theirs, but one of the rider's", async () => {
  await using edge = await edgeWith(TRIP, new VirtualClock(START_MS));
  const heard = await listen(edge);
  const leave = await watch(edge, "driver", "d1");
  expect(heard).toEqual(["rider/r1"]);
  leave();
});

test("who asks again and again watches too; who may not see the trip does not", async () => {
  const clock = new VirtualClock(START_MS);
  await using edge = await edgeWith(TRIP, clock);
  const heard = await listen(edge);
  expect((await poll(edge, "rider", "stranger")).status).toBe(404);
  expect(heard).toEqual([]);
  for (let asked = 1; asked <= 4; asked++) {
    expect((await poll(edge, "rider", "r1")).status).toBe(200);
    clock.advanceTo(START_MS + asked * (watchedRepeatMs / 2));
  }
  expect(heard).toEqual(["driver/d1", "driver/d1"]);
});
