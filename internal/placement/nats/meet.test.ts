import { nuid } from "@nats-io/transport-node";
import { afterEach, expect, test } from "vitest";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import type { LiveChange } from "../../core/live.ts";
import { packLive } from "../../core/packed-live.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { MemoryLatest } from "../../latest/memory/memory-latest.ts";
import { applyChange, startLive } from "../../live/apply-change.ts";
import type { Feed } from "../../live/hub.ts";
import { ChangeMaker, tripOf } from "../../live/kit.ts";
import { openNatsBus } from "../../live/nats/bus.ts";
import { TripHub } from "../../live/trip-hub.ts";
import { connectNats, type NatsLink } from "../../nats/link.ts";
import { nodeOf, untilLive } from "../contract.ts";
import { createPlacement } from "../placement.ts";
import { natsNodesProcess, removeTestNodes } from "./kit.ts";

const VIEWERS = 10;
const CHANGES = 50;
const open = new AsyncDisposableStack();
afterEach(() => open.disposeAsync());

/** The live projection of one region: publishes changes and keeps the latest state that edges begin with. */
async function startProcessor(prefix: string, latest: MemoryLatest) {
  const link = open.use(await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" }));
  open.defer(() => removeTestNodes(link, prefix));
  const bus = open.use(await openNatsBus({ link, region: "se1", prefix, onError: failed }));
  const lives = new Map<string, ReturnType<typeof startLive>>();
  return {
    link,
    async publish(change: LiveChange) {
      const before = lives.get(change.tripId);
      const live = before ? applyChange(before, change) : startLive(change);
      lives.set(change.tripId, live);
      bus.publish(change);
      await latest.update({
        partition: 0,
        partitionEpoch: 1,
        parties: [],
        trips: [packLive(live!)],
        removed: [],
      });
    },
  };
}

/** What an edge process has of live trips and of the other nodes; the bus has a connection for itself, to be counted. */
async function startEdge(nodeId: string, prefix: string, latest: MemoryLatest, clock: VirtualClock) {
  const link = open.use(await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" }));
  const bus = open.use(await openNatsBus({ link, region: "se1", prefix, onError: failed }));
  const hub = open.use(new TripHub({ bus, latest, clock, limits: DEFAULT_LIMITS, onError: failed }));
  const { nodes } = open.use(await natsNodesProcess(sharedEngines().nats, prefix));
  await nodes.announce(nodeOf(nodeId));
  const byRegion = new Map([["se1", nodes]]);
  const placement = createPlacement({ byRegion, defaultRegion: "se1", regionOf: () => "se1" });
  return { nodeId, link, hub, nodes, placement };
}

function failed(error: unknown): void {
  throw error;
}

/** Messages that came over the connection; a flush makes sure that nothing is on its way any more. */
async function received(publisher: NatsLink, edge: { link: NatsLink }): Promise<number> {
  await publisher.connection.flush();
  await edge.link.connection.flush();
  return edge.link.connection.stats().inMsgs;
}

test("the viewers of a trip meet on one edge; an edge where nobody watches it receives none of its messages", async () => {
  const prefix = `t${nuid.next()}_`;
  const clock = new VirtualClock(1_700_000_000_000);
  const latest = new MemoryLatest(clock);
  const processor = await startProcessor(prefix, latest);
  const edges = [
    await startEdge("edge-1", prefix, latest, clock),
    await startEdge("edge-2", prefix, latest, clock),
  ];
  for (const { nodes } of edges) await untilLive(nodes, "edge", "edge-1", "edge-2");

  // One trip for each edge, as placement has it.
  const tripFor = (nodeId: string) => {
    for (let i = 0; ; i++) {
      const tripId = `se1-${String(i).padStart(26, "0")}`;
      if (edges[0]!.placement.ofTrip(tripId).nodes[0].nodeId === nodeId) return tripId;
    }
  };
  const makers = edges.map(({ nodeId }) => new ChangeMaker(tripFor(nodeId)));
  for (const maker of makers) await processor.publish(maker.begin(tripOf(maker.tripId)));

  // Viewers ask whichever edge they know, and go where they are told.
  const feeds: Feed[][] = [[], []];
  for (const [of, { tripId }] of makers.entries())
    for (let viewer = 0; viewer < VIEWERS; viewer++) {
      const asked = edges[viewer % edges.length]!;
      const told = asked.placement.ofTrip(tripId).nodes[0].nodeId;
      const edge = edges.find(({ nodeId }) => nodeId === told)!;
      expect(edge).toBe(edges[of]);
      feeds[of]!.push((await edge.hub.join(tripId, undefined))!);
    }
  expect(edges.map(({ hub }) => hub.size)).toEqual([1, 1]);

  const before = await Promise.all(edges.map((edge) => received(processor.link, edge)));
  const [a, b] = makers as [ChangeMaker, ChangeMaker];
  for (let i = 0; i < CHANGES; i++) await processor.publish(a.move(i));
  for (let i = 0; i < 3 * CHANGES; i++) await processor.publish(b.move(i));
  const counts = await Promise.all(
    edges.map(async (edge, i) => (await received(processor.link, edge)) - before[i]!),
  );
  // One message per change for ten viewers, and nothing of the other edge's trip.
  expect(counts).toEqual([CHANGES, 3 * CHANGES]);

  // The last viewer of the first trip left: once its room is given up, nothing of it comes any more.
  for (const feed of feeds[0]!) feed[Symbol.dispose]();
  clock.advanceTo(clock.now() + 60_000);
  expect(edges[0]!.hub.size).toBe(0);
  const after = await received(processor.link, edges[0]!);
  for (let i = 0; i < CHANGES; i++) await processor.publish(a.move(i));
  expect(await received(processor.link, edges[0]!)).toBe(after);

  // A viewer who goes elsewhere is served all the same, at the price of one more subscription.
  const stray = (await edges[0]!.hub.join(b.tripId, undefined))!;
  const start = await received(processor.link, edges[0]!);
  await processor.publish(b.move(1));
  expect((await received(processor.link, edges[0]!)) - start).toBe(1);
  stray[Symbol.dispose]();
});
