import { type Party, partyKey } from "../core/fix.ts";
import type { RecordedFix, TripEvent } from "../history/history.ts";
import { correctedAtMs } from "../history/merge.ts";
import type { TripRecords } from "../projections/settle-trip.ts";

/** Fixes that a dry run remembers; beyond, it can't tell all trips that would be settled otherwise. */
const MAX_FIXES = 200_000;

/** What a dry run would have written, so that it finds the same trips to settle anew as the real one. */
export class Planned {
  readonly #fixes = new Map<string, Map<string, RecordedFix>>();
  readonly #events = new Map<string, TripEvent[]>();
  #count = 0;

  /** Something was forgotten for want of room. */
  get overflowed(): boolean {
    return this.#count > MAX_FIXES;
  }

  addFixes(party: Party, fixes: readonly RecordedFix[]): void {
    if (fixes.length === 0) return;
    const own = this.#fixes.get(partyKey(party)) ?? new Map<string, RecordedFix>();
    this.#fixes.set(partyKey(party), own);
    for (const fix of fixes) if (++this.#count <= MAX_FIXES) own.set(`${fix.sessionId} ${fix.seq}`, fix);
  }

  setEvents(tripId: string, events: readonly TripEvent[]): void {
    this.#events.set(tripId, [...events]);
  }

  tripDone(tripId: string): void {
    this.#events.delete(tripId);
  }

  /** The records as they would be. */
  over(records: TripRecords): TripRecords {
    return {
      final: (tripId) => records.final(tripId),
      events: async (tripId) => [
        ...(await records.events(tripId)).filter(
          (event) =>
            !this.#events.get(tripId)?.some(({ atMs, key }) => atMs === event.atMs && key === event.key),
        ),
        ...(this.#events.get(tripId) ?? []),
      ],
      track: async (party, fromMs, toMs) => {
        const own = this.#fixes.get(partyKey(party));
        const stored = await records.track(party, fromMs, toMs);
        if (!own) return stored;
        const within = (fix: RecordedFix) => correctedAtMs(fix) >= fromMs && correctedAtMs(fix) <= toMs;
        const others = stored.filter(({ sessionId, seq }) => !own.has(`${sessionId} ${seq}`));
        return [...others, ...[...own.values()].filter(within)];
      },
    };
  }
}
