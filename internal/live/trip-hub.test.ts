import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { BimrideError } from "../core/errors.ts";
import { DEFAULT_LIMITS } from "../core/limits.ts";
import type { LiveChange, TripLive } from "../core/live.ts";
import { packLive } from "../core/packed-live.ts";
import { compareVersions, type Version, ZERO_VERSION } from "../core/version.ts";
import { VirtualClock } from "../core/virtual-clock.ts";
import { MemoryLatest } from "../latest/memory/memory-latest.ts";
import { applyChange, startLive } from "./apply-change.ts";
import type { LiveBus } from "./bus.ts";
import type { Feed, FeedItem } from "./hub.ts";
import { ChangeMaker, tripOf } from "./kit.ts";
import { MemoryBus } from "./memory/memory-bus.ts";
import { TripHub } from "./trip-hub.ts";

const TRIP = "se1-00000000000000000000000000";
const NEVER = new AbortController().signal;

/** A latest store whose reads can fail, as one behind a network would. */
class ShakyLatest extends MemoryLatest {
  failing = false;
  reads = 0;

  override async trip(tripId: string): Promise<TripLive | undefined> {
    this.reads++;
    if (this.failing) throw new BimrideError("STORE_UNAVAILABLE");
    return super.trip(tripId);
  }
}

/** A hub with what feeds it: `happen` is what the projection does for a change, bus first, then store. */
class Scene {
  readonly clock = new VirtualClock(1_000_000);
  readonly errors = vi.fn();
  readonly bus = new MemoryBus(this.errors);
  readonly latest = new ShakyLatest(this.clock);
  readonly maker = new ChangeMaker(TRIP);
  readonly hub: TripHub;
  live: TripLive | undefined;

  constructor(limits: Partial<typeof DEFAULT_LIMITS> = {}, bus: LiveBus = this.bus) {
    const { clock, latest } = this;
    this.hub = new TripHub({
      bus,
      latest,
      clock,
      limits: { ...DEFAULT_LIMITS, ...limits },
      onError: this.errors,
    });
  }

  /** Counts the change in without telling anybody. */
  reckon(change: LiveChange): void {
    this.live = this.live ? applyChange(this.live, change) : startLive(change);
  }

  async store(): Promise<void> {
    const trips = this.live ? [packLive(this.live)] : [];
    await this.latest.update({ partition: 0, partitionEpoch: 1, parties: [], trips, removed: [] });
  }

  async happen(change: LiveChange): Promise<void> {
    this.reckon(change);
    this.bus.publish(change);
    await this.store();
  }

  /** Lets promises and due timers run for so long of the scene's clock. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    while (this.clock.now() < until) {
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advanceTo(Math.min(until, this.clock.now() + 5));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function joined(scene: Scene, resumeAfter?: Version): Promise<Feed> {
  const feed = await scene.hub.join(TRIP, resumeAfter);
  if (!feed) throw new Error("the trip has no live state");
  return feed;
}

/** What the feed has to tell right now. */
async function waiting(feed: Feed): Promise<FeedItem[]> {
  const items: FeedItem[] = [];
  for (;;) {
    const abort = new AbortController();
    const next = feed.next(abort.signal);
    setImmediate(() => abort.abort());
    const item = await next;
    if (!item) return items;
    items.push(item);
  }
}

/** What a viewer who applies what it is told ends up with. */
function seenBy(items: FeedItem[], before?: TripLive): TripLive | undefined {
  return items.reduce(
    (live, item) => (item.kind === "change" ? applyChange(live!, item.change) : item.live),
    before,
  );
}

describe("joining", () => {
  it("gives a snapshot, then the changes", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    using feed = await joined(scene);
    expect(await feed.next(NEVER)).toEqual({ kind: "snapshot", live: scene.live });
    await scene.happen(scene.maker.move(10));
    expect(await feed.next(NEVER)).toMatchObject({
      kind: "change",
      change: { position: { capturedAtMs: 10 } },
    });
    expect(feed.live).toEqual(scene.live);
  });

  it("subscribes before it reads, so that nothing between the two is lost", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    const feed = joined(scene);
    await scene.happen(scene.maker.move(10));
    await scene.happen(scene.maker.move(20));
    expect(seenBy(await waiting(await feed))).toEqual(scene.live);
  });

  it("waits a little for the first state of a trip just created", async () => {
    const scene = new Scene();
    const feed = joined(scene);
    await scene.pass(1_000);
    await scene.happen(scene.maker.begin());
    expect(await waiting(await feed)).toEqual([{ kind: "snapshot", live: scene.live }]);
  });

  it("finds a first state that was published too early for the subscription", async () => {
    const scene = new Scene();
    scene.reckon(scene.maker.begin());
    const feed = joined(scene);
    await scene.pass(100);
    await scene.store();
    await scene.pass(1_900);
    expect((await feed).live).toEqual(scene.live);
  });

  it("answers undefined when no state comes, and keeps no room", async () => {
    const scene = new Scene();
    const feed = scene.hub.join(TRIP, undefined);
    await scene.pass(2_100);
    expect(await feed).toBeUndefined();
    await scene.pass(10_100);
    expect(scene.hub.size).toBe(0);
  });

  it("rejects when the latest store can't be read, and works again afterwards", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    scene.latest.failing = true;
    await expect(scene.hub.join(TRIP, undefined)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(scene.hub.size).toBe(0);
    scene.latest.failing = false;
    using feed = await joined(scene);
    expect(feed.live).toEqual(scene.live);
  });
});

describe("resuming", () => {
  it("tells what was missed, or that nothing was", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    using _other = await joined(scene);
    await scene.happen(scene.maker.move(10));
    const before = scene.live!;
    using same = await joined(scene, before.version);
    expect(await waiting(same)).toEqual([{ kind: "unchanged", live: before }]);
    await scene.happen(scene.maker.move(20));
    await scene.happen(scene.maker.move(30));
    using behind = await joined(scene, before.version);
    const items = await waiting(behind);
    expect(items.every((item) => item.kind === "change")).toBe(true);
    expect(seenBy(items, before)).toEqual(scene.live);
  });

  it("gives a snapshot when not all of it is at hand", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    const old = scene.live!.version;
    await scene.happen(scene.maker.move(10));
    using feed = await joined(scene, old);
    expect(await waiting(feed)).toEqual([{ kind: "snapshot", live: scene.live }]);
  });

  it("never shows a viewer less than it has seen elsewhere", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    const ahead = scene.maker.move(10);
    const feed = joined(scene, ahead.version);
    await scene.pass(2_100);
    expect(await waiting(await feed)).toEqual([]);
    await scene.happen(ahead);
    expect(await waiting(await feed)).toEqual([]);
    await scene.happen(scene.maker.move(20));
    expect(await waiting(await feed)).toEqual([{ kind: "snapshot", live: scene.live }]);
  });

  it("after a version that never was gives a snapshot in the end, and then what follows", async () => {
    for (const madeUp of [
      { generation: 1, sequence: 1_000_000, index: 0 },
      { generation: 99, sequence: 1, index: 0 },
    ]) {
      const scene = new Scene();
      await scene.happen(scene.maker.begin());
      const joining = joined(scene, madeUp);
      await scene.pass(2_100);
      using feed = await joining;
      expect(await waiting(feed)).toEqual([]);
      await scene.pass(DEFAULT_LIMITS.heartbeatMs);
      expect(await waiting(feed)).toEqual([{ kind: "snapshot", live: scene.live }]);
      await scene.happen(scene.maker.move(10));
      expect(await waiting(feed)).toMatchObject([
        { kind: "change", change: { position: { capturedAtMs: 10 } } },
      ]);
    }
  });
});

describe("holes", () => {
  it("make the hub read the snapshot again, as often as it takes", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    using feed = await joined(scene);
    await waiting(feed);
    scene.reckon(scene.maker.move(10)); // lost on the bus
    const change = scene.maker.move(20);
    scene.reckon(change);
    scene.latest.failing = true;
    scene.bus.publish(change);
    await scene.pass(100);
    expect(await waiting(feed)).toEqual([]);
    expect(scene.errors).toHaveBeenCalled();
    scene.latest.failing = false;
    await scene.store();
    await scene.pass(1_000);
    expect(await waiting(feed)).toEqual([{ kind: "snapshot", live: scene.live }]);
  });

  it("are found by themselves when the last change before a silence was lost", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    using feed = await joined(scene);
    await waiting(feed);
    scene.reckon(scene.maker.next({ trip: tripOf(TRIP, 1, "ARRIVED_AT_PICKUP") }));
    await scene.store();
    await scene.pass(DEFAULT_LIMITS.heartbeatMs + 1_000);
    expect(seenBy(await waiting(feed))).toEqual(scene.live);
  });

  it("are none at the beginning of a generation", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    using feed = await joined(scene);
    await waiting(feed);
    const reads = scene.latest.reads;
    await scene.happen(scene.maker.begin(tripOf(TRIP, 2)));
    expect(await waiting(feed)).toMatchObject([{ kind: "change", change: { version: { generation: 2 } } }]);
    expect(scene.latest.reads).toBe(reads);
  });
});

describe("slow viewers", () => {
  it("get the newest state and every event, and slow nobody", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    using slow = await joined(scene);
    using fast = await joined(scene);
    const before = seenBy(await waiting(slow))!;
    await waiting(fast);
    for (let i = 1; i <= 50; i++) {
      await scene.happen(scene.maker.move(i));
      expect(await fast.next(NEVER)).toMatchObject({ change: { position: { capturedAtMs: i } } });
    }
    await scene.happen(scene.maker.next({ trip: tripOf(TRIP, 1, "ARRIVED_AT_PICKUP") }));
    await scene.happen(scene.maker.next({ trip: tripOf(TRIP, 1, "ENROUTE_TO_DROPOFF") }));
    const items = await waiting(slow);
    expect(items).toHaveLength(2);
    expect(seenBy(items, before)).toEqual(scene.live);
  });

  it("get a snapshot instead of too many events", async () => {
    const scene = new Scene({ maxQueuedEventsPerViewer: 3 });
    await scene.happen(scene.maker.begin());
    using slow = await joined(scene);
    await waiting(slow);
    for (let i = 0; i < 4; i++) await scene.happen(scene.maker.next({ trip: tripOf(TRIP) }));
    expect(await waiting(slow)).toEqual([{ kind: "snapshot", live: scene.live }]);
  });
});

describe("ends", () => {
  it("come when live access is over, for viewers and for those who come later", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    using feed = await joined(scene);
    await waiting(feed);
    const endedAtMs = scene.clock.now();
    await scene.happen(scene.maker.next({ trip: tripOf(TRIP, 1, "COMPLETE", endedAtMs) }));
    expect(await waiting(feed)).toMatchObject([{ kind: "change", change: { trip: { status: "COMPLETE" } } }]);
    const next = feed.next(NEVER);
    scene.clock.advanceTo(endedAtMs + DEFAULT_LIMITS.liveAfterEndMs);
    expect(await next).toBeUndefined();
    expect(scene.hub.size).toBe(0);
    expect(await scene.hub.read(TRIP)).toBeUndefined();
    const late = scene.hub.join(TRIP, undefined);
    await scene.pass(2_100);
    expect(await late).toBeUndefined();
  });

  it("come to a room some time after its last viewer, unless one comes back", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    (await joined(scene))[Symbol.dispose]();
    await scene.pass(9_000);
    const feed = await joined(scene);
    await scene.pass(9_000);
    expect(scene.hub.size).toBe(1);
    feed[Symbol.dispose]();
    expect(await feed.next(NEVER)).toBeUndefined();
    await scene.pass(10_100);
    expect(scene.hub.size).toBe(0);
  });

  it("come to everything when the hub is disposed", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    using feed = await joined(scene);
    await waiting(feed);
    const next = feed.next(NEVER);
    await scene.hub[Symbol.asyncDispose]();
    expect(await next).toBeUndefined();
    await expect(scene.hub.join(TRIP, undefined)).rejects.toMatchObject({ code: "DRAINING" });
  });

  it("of waiting come when the signal aborts", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    using feed = await joined(scene);
    await waiting(feed);
    expect(await feed.next(AbortSignal.abort())).toBeUndefined();
    await scene.happen(scene.maker.move(10));
    expect(await waiting(feed)).toHaveLength(1);
  });
});

describe("reading", () => {
  it("asks the room where somebody watches, else the store", async () => {
    const scene = new Scene();
    await scene.happen(scene.maker.begin());
    expect(await scene.hub.read(TRIP)).toEqual(scene.live);
    expect(scene.hub.size).toBe(0);
    using _feed = await joined(scene);
    const reads = scene.latest.reads;
    expect(await scene.hub.read(TRIP)).toEqual(scene.live);
    expect(scene.latest.reads).toBe(reads);
  });
});

describe("whatever the bus and the store do", () => {
  type Step = "move" | "lose" | "repeat" | "event" | "generation" | "store" | "look" | "leave";
  const steps = fc.array(
    fc.constantFrom<Step>("move", "move", "lose", "repeat", "event", "generation", "store", "look", "leave"),
    { maxLength: 40 },
  );

  it("a viewer sees only newer versions, and in the end the newest state", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (script) => {
        const scene = new Scene();
        await scene.happen(scene.maker.begin());
        let feed = await joined(scene);
        let seen: TripLive | undefined;
        let version = ZERO_VERSION;
        let last: LiveChange | undefined;
        let generation = 1;
        const look = async () => {
          for (const item of await waiting(feed)) {
            const next = item.kind === "change" ? item.change.version : item.live.version;
            if (item.kind === "unchanged") expect(next).toEqual(version);
            else expect(compareVersions(next, version)).toBeGreaterThan(0);
            version = next;
            seen = seenBy([item], seen);
          }
        };
        for (const [i, step] of script.entries()) {
          if (step === "store") await scene.store();
          else if (step === "look") await look();
          else if (step === "repeat") {
            if (last) scene.bus.publish(last);
          } else if (step === "leave") {
            await scene.store();
            await scene.pass(50);
            feed[Symbol.dispose]();
            const again = joined(scene, version.sequence > 0 ? version : undefined);
            await scene.pass(50);
            feed = await again;
          } else {
            const trip = tripOf(TRIP, generation, "ARRIVED_AT_PICKUP");
            if (step === "generation") last = scene.maker.begin(tripOf(TRIP, ++generation));
            else last = step === "event" ? scene.maker.next({ trip }) : scene.maker.move(i + 1);
            scene.reckon(last);
            if (step !== "lose") scene.bus.publish(last);
          }
        }
        await scene.store();
        await scene.pass(DEFAULT_LIMITS.heartbeatMs * 2);
        await look();
        expect(seen).toEqual(scene.live);
        await scene.hub[Symbol.asyncDispose]();
      }),
      { numRuns: 25 },
    );
  });
});
