import { isDeepStrictEqual } from "node:util";
import type { Party } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { Trip } from "../core/trip.ts";
import type { History, RecordedFix, TripEvent, TripFinal } from "../history/history.ts";
import { type RecordedStatus, settle } from "../pipeline/settlement.ts";

const PAGE = 5_000;

/** What settlement asks of the record. */
export type TripRecords = {
  /** All fixes of the party captured in the range. */
  track(party: Party, fromMs: number, toMs: number): Promise<RecordedFix[]>;
  events(tripId: string): Promise<TripEvent[]>;
  final(tripId: string): Promise<TripFinal | undefined>;
};

/** The records of a history, read to their end. */
export function recordsOf(history: Pick<History, "track" | "events" | "final">): TripRecords {
  return {
    track: (party, fromMs, toMs) => wholeTrack(history, party, fromMs, toMs),
    events: (tripId) => allEvents(history, tripId),
    final: (tripId) => history.final(tripId),
  };
}

/**
 * The final record of an ended trip as the record has it now; undefined when it stands already. A later revision of what
 * stands, and no older than it.
 */
export async function settleTrip(
  records: TripRecords,
  trip: Trip,
  limits: Limits,
  settledAtMs: number,
): Promise<TripFinal | undefined> {
  const tracks: { party: Party; fixes: RecordedFix[] }[] = [];
  for (const span of trip.assignments) {
    const party: Party = { kind: "driver", id: span.driverId };
    tracks.push({ party, fixes: await records.track(party, span.fromMs, span.toMs || trip.endedAtMs) });
  }
  const found = settle(trip, tracks, limits, statusesIn(await records.events(trip.tripId)));
  const before = await records.final(trip.tripId);
  if (before && isDeepStrictEqual(unstamped(before), unstamped(found))) return undefined;
  const revision = (before?.revision ?? 0) + 1;
  return { ...found, revision, settledAtMs: Math.max(settledAtMs, before?.settledAtMs ?? 0) };
}

/** Writes what {@link settleTrip} found, and the event that tells of it. */
export async function putSettled(history: History, final: TripFinal): Promise<void> {
  await history.putFinal(final);
  const { tripId, settledAtMs: atMs, distanceM, approachM, phases, revision } = final;
  await history.putEvents([
    {
      ...{ tripId, atMs, key: `settled-${revision}`, kind: "settled" as const },
      ...{ distanceM, approachM, phases, revision },
    },
  ]);
}

const unstamped = (final: TripFinal): TripFinal => ({ ...final, revision: 0, settledAtMs: 0 });

function statusesIn(events: readonly TripEvent[]): RecordedStatus[] {
  return events.flatMap((event) => {
    if (event.kind !== "status" || event.waypointIndex === undefined) return [];
    const { status, waypointIndex, atMs, source } = event;
    return [{ status, waypointIndex, atMs, source }];
  });
}

async function allEvents(history: Pick<History, "events">, tripId: string): Promise<TripEvent[]> {
  const events: TripEvent[] = [];
  let after: { atMs: number; key: string } | undefined;
  for (;;) {
    const page = await history.events(tripId, PAGE, after);
    events.push(...page);
    if (page.length < PAGE) return events;
    after = page.at(-1);
  }
}

async function wholeTrack(
  history: Pick<History, "track">,
  party: Party,
  fromMs: number,
  toMs: number,
): Promise<RecordedFix[]> {
  const fixes: RecordedFix[] = [];
  for (;;) {
    const last = fixes.at(-1);
    const after = last && {
      ...{ atMs: last.capturedAtMs + last.clockOffsetMs, sessionId: last.sessionId, seq: last.seq },
    };
    const page = await history.track({ party, fromMs, toMs, limit: PAGE, ...(after ? { after } : {}) });
    fixes.push(...page);
    if (page.length < PAGE) return fixes;
  }
}
