import type { Rect } from "../../core/geo.ts";
import type { TripLive } from "../../core/live.ts";
import type { Clock } from "../../core/time.ts";
import type { Latest, LatestFlush, LatestParty } from "../../latest/latest.ts";
import { EngineMap, type RouterOptions } from "./engine-map.ts";

/**
 * A party that one region has heard of so recently is not looked for in the others: it may have moved on, but not far. An
 * older one is, because it may have been left behind where it crossed a border.
 */
const RECENT_MS = 30_000;

type Neighbour = LatestParty & { distanceM: number };
/** What one engine found. */
type Found<P extends LatestParty> = { engine: Latest; answer: P[] };

/**
 * The latest states of several regions as one cache: a trip is where its id says, parties are asked of every engine and
 * the newest position counts. A region that can't be reached is left out as long as another answers. `update` and `onLost` are for
 * the regions' own processors, which write to their own engine: here they go to the first. Disposing it disposes the engines.
 * @param clock server time, to tell who has been silent
 */
export function routedLatest(
  byRegion: ReadonlyMap<string, Latest>,
  clock: Clock,
  options: RouterOptions = {},
): Latest {
  return new RoutedLatest(new EngineMap(byRegion, options), clock);
}

class RoutedLatest implements Latest {
  readonly #engines: EngineMap<Latest>;
  readonly #clock: Clock;

  constructor(engines: EngineMap<Latest>, clock: Clock) {
    this.#engines = engines;
    this.#clock = clock;
  }

  update(flush: LatestFlush): Promise<{ refused: number }> {
    return this.#engines.first.update(flush);
  }

  trip(tripId: string): Promise<TripLive | undefined> {
    return this.#engines.ofTrip(tripId).trip(tripId);
  }

  intactSince(tripId: string): Promise<number> {
    return this.#engines.ofTrip(tripId).intactSince(tripId);
  }

  async party(partyKey: string): Promise<LatestParty | undefined> {
    const found = await this.#engines.answered((engine) => engine.party(partyKey));
    return found.reduce<LatestParty | undefined>((best, { answer }) => newer(best, answer), undefined);
  }

  async within(rect: Rect, limit: number): Promise<{ parties: LatestParty[]; truncated: boolean }> {
    const found = await this.#engines.answered((engine) => engine.within(rect, limit));
    const parties = await this.#newestOf(
      found.map(({ engine, answer }) => ({ engine, answer: answer.parties })),
    );
    const truncated = parties.length > limit || found.some(({ answer }) => answer.truncated);
    return { parties: parties.slice(0, limit), truncated };
  }

  async nearby(latDeg: number, lonDeg: number, radiusM: number, limit: number): Promise<Neighbour[]> {
    if (limit <= 0) return [];
    for (let ask = limit; ; ask *= 2) {
      const found = await this.#engines.answered((engine) => engine.nearby(latDeg, lonDeg, radiusM, ask));
      const nearest = (await this.#newestOf(found)).sort(nearestFirst).slice(0, limit);
      // How far the shortest of the full answers reaches: beyond it something nearer may be missing.
      const full = found.filter(({ answer }) => answer.length >= ask);
      const reachM = Math.min(...full.map(({ answer }) => answer.at(-1)!.distanceM));
      const isEnough = nearest.length === limit && nearest.at(-1)!.distanceM <= reachM;
      if (isEnough || full.length === 0) return nearest;
    }
  }

  async sweep(beforeMs: number, nowMs: number): Promise<{ parties: number; trips: number }> {
    const swept = await this.#engines.answered((engine) => engine.sweep(beforeMs, nowMs));
    return swept.reduce(
      (sum, { answer }) => ({ parties: sum.parties + answer.parties, trips: sum.trips + answer.trips }),
      { parties: 0, trips: 0 },
    );
  }

  onLost(listener: () => void): () => void {
    return this.#engines.first.onLost(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#engines.dispose();
  }

  /** Each party once, its newest position, and not at all when another engine has it newer somewhere else. */
  async #newestOf<P extends LatestParty>(found: readonly Found<P>[]): Promise<P[]> {
    const best = new Map<string, { party: P; engines: Latest[] }>();
    for (const { engine, answer } of found) {
      for (const party of answer) {
        const known = best.get(party.partyKey);
        if (!known) best.set(party.partyKey, { party, engines: [engine] });
        else {
          known.engines.push(engine);
          if (isNewer(party, known.party)) known.party = party;
        }
      }
    }
    if (this.#engines.distinct.length === 1) return [...best.values()].map(({ party }) => party);
    const silentMs = this.#clock.now() - RECENT_MS;
    const judged = await Promise.all(
      [...best.values()].map(async ({ party, engines }) =>
        party.receivedAtMs < silentMs && (await this.#hasMoved(party, engines)) ? [] : [party],
      ),
    );
    return judged.flat();
  }

  async #hasMoved(party: LatestParty, asked: readonly Latest[]): Promise<boolean> {
    const others = this.#engines.distinct.filter((engine) => !asked.includes(engine));
    if (others.length === 0) return false;
    try {
      const found = await this.#engines.answered((engine) => engine.party(party.partyKey), others);
      return found.some(({ answer }) => answer !== undefined && isNewer(answer, party));
    } catch {
      return false; // no other region answers: what this one knows is the best there is
    }
  }
}

function isNewer(a: LatestParty, b: LatestParty): boolean {
  return a.sessionEpoch > b.sessionEpoch || (a.sessionEpoch === b.sessionEpoch && a.seq > b.seq);
}

function newer(a: LatestParty | undefined, b: LatestParty | undefined): LatestParty | undefined {
  if (!a || !b) return a ?? b;
  return isNewer(b, a) ? b : a;
}

function nearestFirst(a: Neighbour, b: Neighbour): number {
  return a.distanceM - b.distanceM || (a.partyKey < b.partyKey ? -1 : 1);
}
