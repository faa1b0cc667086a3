import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { someTripId, startTestEdge, type TestEdge } from "../../internal/edge/kit.ts";
import { tripOf } from "../../internal/live/kit.ts";
import { localNodes } from "../../internal/placement/local/nodes.ts";
import { createPlacement } from "../../internal/placement/placement.ts";
import { createWatcher, type Watcher } from "./watcher.ts";

const TRIP = someTripId(1);
let stack = new AsyncDisposableStack();
afterEach(async () => {
  const over = stack;
  stack = new AsyncDisposableStack();
  await over.disposeAsync();
});

/** Two edges that know the same nodes, trust the same tokens and show the same trip. */
async function twoEdges() {
  const registry = localNodes();
  const byRegion = new Map([["se1", registry]]);
  const placement = createPlacement({ byRegion, defaultRegion: "se1", regionOf: () => "se1" });
  const base = stack.use(await startTestEdge(new Map(), { placement }));
  const { authenticator } = base;
  const other = stack.use(await startTestEdge(new Map(), { placement, authenticator }));
  const cars = [await base.start(tripOf(TRIP)), await other.start(tripOf(TRIP))];
  return {
    base,
    other,
    announce: (nodeId: string, httpUrl: string) =>
      registry.announce({ nodeId, kind: "edge", region: "se1", httpUrl, grpcAddress: "" }),
    move: (atMs: number) => Promise.all(cars.map((car) => car.move(atMs))),
  };
}

function watch(base: TestEdge, locate = true): Watcher {
  const watcher = createWatcher({
    baseUrl: base.url,
    tripIds: [TRIP],
    token: () => base.token("rider", "r1"),
    locate,
    times: { connectTimeoutMs: 2_500 },
    random: () => 0.1,
  });
  stack.defer(() => watcher.close());
  return watcher;
}

/** Waits until the watcher shows the position of that time. */
async function shows(watcher: Watcher, atMs: number): Promise<void> {
  for await (const { position } of watcher) if (Number(position?.capturedAtMs) === atMs) return;
}

async function watchesAt({ registry }: TestEdge): Promise<number> {
  const { values } = await registry.getSingleMetric("bimride_edge_watches")!.get();
  return values.find(({ labels }) => labels.kind === "trips")!.value;
}

describe("a watcher that asks where to go", () => {
  it("watches where placement says, and goes back to the edge it knows when that one goes", async () => {
    const { base, other, announce, move } = await twoEdges();
    const placed = await announce("n1", other.url);
    const watcher = watch(base);
    const startMs = Date.now();
    await move(startMs);
    await shows(watcher, startMs);
    expect([await watchesAt(base), await watchesAt(other)]).toEqual([0, 1]);

    await placed[Symbol.asyncDispose]();
    await other.edge[Symbol.asyncDispose]();
    await move(startMs + 1);
    await shows(watcher, startMs + 1);
    expect(await watchesAt(base)).toBe(1);
  });

  it("tries the next one, and the edge it knows last, when the one named is dead", async () => {
    const { base, other, announce, move } = await twoEdges();
    for (let i = 0; i < 3; i++) await announce(`dead${i}`, `http://127.0.0.1:${i + 1}`);
    const startMs = Date.now();
    await move(startMs);
    const watcher = watch(base);
    await shows(watcher, startMs);
    expect([await watchesAt(base), await watchesAt(other)]).toEqual([1, 0]);
    expect(watcher.states.get(TRIP)!.connection.transport).toBe("stream");
  });

  it("leaves a node that takes the call and never answers", async () => {
    const { base, announce, move } = await twoEdges();
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    stack.defer(() => {
      silent.closeAllConnections();
      silent.close();
    });
    await announce("silent", `http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
    const startMs = Date.now();
    await move(startMs);
    const watcher = watch(base);
    await shows(watcher, startMs);
    expect(await watchesAt(base)).toBe(1);
  });

  it("goes to the edge it knows when placement has nothing to say, or is not asked", async () => {
    const { base, other, announce, move } = await twoEdges();
    const startMs = Date.now();
    await move(startMs);
    await shows(watch(base), startMs);
    expect(await watchesAt(base)).toBe(1);
    await announce("n1", other.url);
    await shows(watch(base, false), startMs);
    expect([await watchesAt(base), await watchesAt(other)]).toEqual([2, 0]);
  });
});
