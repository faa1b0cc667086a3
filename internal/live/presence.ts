import { partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Clock } from "../core/time.ts";
import { isRunning, type Trip } from "../core/trip.ts";
import type { LiveBus, Subscription } from "./bus.ts";
import type { Presence } from "./hub.ts";

export type PresenceDeps = {
  bus: Pick<LiveBus, "notify">;
  clock: Clock;
  limits: Pick<Limits, "watchedRepeatMs" | "watchedForMs" | "maxTripsTold">;
};

type Viewer = { readonly userKey: string; readonly trip: () => Trip | undefined };

/**
 * Tells the parties of a trip on the bus that somebody else watches it, at the first viewer of this edge node at once, then every
 * watchedRepeatMs. Nothing is said when viewers leave: it lapses, so there is no count that could be lost or wrong. One
 * message per trip and period, however many watch.
 */
export class BusPresence implements Presence, Disposable {
  readonly #deps: PresenceDeps;
  readonly #viewers = new Set<Viewer>();
  /** Party and trip, with when it was last told, monotonic; oldest first. */
  readonly #toldAtMs = new Map<string, number>();
  readonly #stop: () => void;

  constructor(deps: PresenceDeps) {
    this.#deps = deps;
    this.#stop = deps.clock.every(deps.limits.watchedRepeatMs, () => this.#repeat());
  }

  stay(userKey: string, trip: () => Trip | undefined): Subscription {
    const viewer = { userKey, trip };
    this.#viewers.add(viewer);
    this.#see(viewer);
    return { [Symbol.dispose]: () => void this.#viewers.delete(viewer) };
  }

  look(userKey: string, trip: Trip): void {
    this.#see({ userKey, trip: () => trip });
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#viewers.clear();
  }

  #repeat(): void {
    const oldestMs = this.#deps.clock.monotonic() - this.#deps.limits.watchedRepeatMs;
    for (const [key, atMs] of this.#toldAtMs) {
      if (atMs > oldestMs) break;
      this.#toldAtMs.delete(key);
    }
    // What was told just before need not be told again; what is left out now comes with the next round, which is in time.
    for (const viewer of this.#viewers) this.#see(viewer, this.#deps.limits.watchedRepeatMs / 2);
  }

  /** @param pauseMs least time since it was last told */
  #see({ userKey, trip: tripOf }: Viewer, pauseMs = this.#deps.limits.watchedRepeatMs): void {
    const trip = tripOf();
    if (!trip || !isRunning(trip) || trip.driverId === "") return;
    const driverKey = partyKey({ kind: "driver", id: trip.driverId });
    if (userKey !== driverKey) this.#tell(driverKey, trip.tripId, pauseMs);
    else
      for (const id of waitingRiders(trip)) this.#tell(partyKey({ kind: "rider", id }), trip.tripId, pauseMs);
  }

  #tell(key: string, tripId: string, pauseMs: number): void {
    const { bus, clock, limits } = this.#deps;
    const nowMs = clock.monotonic();
    const what = `${key} ${tripId}`;
    const toldAtMs = this.#toldAtMs.get(what);
    if (toldAtMs !== undefined && nowMs - toldAtMs < pauseMs) return;
    this.#toldAtMs.delete(what);
    this.#toldAtMs.set(what, nowMs);
    if (this.#toldAtMs.size > limits.maxTripsTold) this.#toldAtMs.delete(this.#toldAtMs.keys().next().value!);
    const [forMs, saidAtMs] = [limits.watchedForMs, Math.round(clock.now())];
    bus.notify({ partyKey: key, kind: "watched", tripId, forMs, saidAtMs });
  }
}

/** Riders whom the car is still to pick up: the driver looks for them, later their place is nobody's business. */
function waitingRiders({ riderIds, waypoints, waypointIndex }: Trip): string[] {
  const ahead = waypoints.slice(waypointIndex).filter(({ kind }) => kind === "pickup");
  return riderIds.filter((id) => ahead.some(({ riderId }) => riderId === "" || riderId === id));
}
