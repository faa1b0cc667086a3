import type { LatLon } from "../core/geo.ts";
import type { Limits } from "../core/limits.ts";
import type { RegionOf } from "../core/region.ts";
import type { Clock } from "../core/time.ts";
import type { Trip } from "../core/trip.ts";
import type { EventLog } from "../eventlog/log.ts";
import { Appender } from "./appender.ts";
import type { IngestEvents } from "./events.ts";
import type { HelloInput } from "./messages.ts";
import { Outlet } from "./outlet.ts";
import type { Spool } from "./spool/spool.ts";

/** A region that this gateway writes for. */
export type IngestRegion = {
  log: EventLog;
  /** Where entries go while the log is away (spool/spool.ts); the caller disposes it afterwards. Undefined: nowhere. */
  spool?: Spool | undefined;
};

/** Where the records of sessions of one region go. */
export type Home = { readonly region: string; readonly appender: Appender };

export type HomesDeps = {
  /** All regions of the deployment, by name. */
  regions: ReadonlyMap<string, IngestRegion>;
  regionOf: RegionOf;
  /** The region of parties of which nothing is known. */
  ownRegion: string;
  ioClock: Clock;
  limits: Limits;
  events: IngestEvents;
  /** Spooled entries of some region reached its log. */
  onDrained(): void;
};

/** The regions of this gateway, each with its way into its log; and which of them a party belongs to. */
export class Homes {
  readonly own: Home;
  readonly #byRegion = new Map<string, Home>();
  readonly #outlets = new Map<string, Outlet>();
  readonly #regionOf: RegionOf;

  constructor({ regions, regionOf, ownRegion, ioClock, limits, events, onDrained }: HomesDeps) {
    this.#regionOf = regionOf;
    for (const [region, { log, spool }] of regions) {
      const outlet = new Outlet({ log, spool, ioClock, onDrained });
      this.#outlets.set(region, outlet);
      this.#byRegion.set(region, { region, appender: new Appender({ outlet, ioClock, limits, events }) });
    }
    const own = this.#byRegion.get(ownRegion);
    if (!own) throw new RangeError(`the gateway's own region ${ownRegion} is none of its regions`);
    this.own = own;
  }

  /** True where there is nothing to choose. */
  get isOne(): boolean {
    return this.#byRegion.size === 1;
  }

  /** Bytes (estimated) that wait for durability now, in all regions. */
  get pendingBytes(): number {
    return [...this.#byRegion.values()].reduce((sum, { appender }) => sum + appender.pendingBytes, 0);
  }

  /** Undefined for a region that this gateway does not know (yet). */
  get(region: string): Home | undefined {
    return this.#byRegion.get(region);
  }

  /**
   * Where a session begins that says Hello, as long as its trip is not known: where the client says that it was, else
   * where this gateway last had it, else by its position, else the gateway's own region.
   * @param known the session's region so far; empty when this gateway has not met it
   */
  atHello({ lastRegion, position }: HelloInput, known: string): Home {
    const last = this.get(lastRegion) ?? this.get(known);
    return last ?? (position ? this.at(position, "") : this.own);
  }

  /** The region of a place, with hysteresis. @param last the party's region so far, empty for none */
  at({ latDeg, lonDeg }: LatLon, last: string): Home {
    if (this.isOne || !isOnEarth(latDeg, lonDeg)) return this.get(last) ?? this.own;
    return this.get(this.#regionOf(latDeg, lonDeg, last)) ?? this.get(last) ?? this.own;
  }

  /**
   * Where a party of the region goes on: in its trip's region as long as it has one, without a trip where it is now.
   * Undefined when it stays, or when it is not known whether it has a trip.
   */
  next(region: string, trip: Trip | undefined | "unknown", place: LatLon | undefined): Home | undefined {
    if (this.isOne || trip === "unknown") return undefined;
    const home = trip ? this.get(trip.region) : place && this.at(place, region);
    return home?.region === region ? undefined : home;
  }

  /** Undefined while fixes of the gateway's own region are taken, by the log or by the spool; else why not. */
  health(): Promise<Error | undefined> {
    return this.#outlets.get(this.own.region)!.health();
  }

  /** Sends what lingers and waits until all of it is settled. Never rejects. */
  async flush(): Promise<void> {
    await Promise.all([...this.#byRegion.values()].map(({ appender }) => appender.flush()));
  }

  /** Ends the drains of the spools, see {@link Outlet.close}. */
  async close(patienceMs: number): Promise<void> {
    await Promise.all([...this.#outlets.values()].map((outlet) => outlet.close(patienceMs)));
  }
}

function isOnEarth(latDeg: number, lonDeg: number): boolean {
  return Math.abs(latDeg) <= 90 && Math.abs(lonDeg) <= 180 && (latDeg !== 0 || lonDeg !== 0);
}
