import type { RecordedFix } from "../history/history.ts";

/** What the device sent: the same in every copy of a fix. */
const SENT = [
  ...(["capturedAtMs", "latDeg", "lonDeg", "accuracyM", "speedMps", "headingDeg", "altitudeM"] as const),
  ...(["source", "mock"] as const),
] as const satisfies readonly (keyof RecordedFix)[];
/** What the gateway added, which may differ between copies. */
const RECEIVED = ["sessionEpoch", "clockOffsetMs", "receivedAtMs"] as const;
/** What the pipeline made of it. */
const JUDGED = ["late", "outlier", "superseded"] as const;
/** Two steps of the store's resolution: a filter that began later ends so close. */
const PLACE_TOLERANCE_DEG = 2.5e-7;

/**
 * Whether the record has the fix as the log says.
 * @param warm the replay knew the party as its owner did; else what the owner made of the fix is taken as it is
 */
export function isAsLogged(stored: RecordedFix, logged: RecordedFix, warm: boolean): boolean {
  if (!same(stored, logged, SENT)) return false;
  // An earlier copy, which left the log or lies before what was read: the first by received time stays.
  if (stored.receivedAtMs < logged.receivedAtMs) return true;
  if (!same(stored, logged, RECEIVED)) return false;
  return !warm || (same(stored, logged, JUDGED) && shownAlike(stored, logged));
}

/** The fix as it is to stand in the record instead. */
export function corrected(stored: RecordedFix, logged: RecordedFix, warm: boolean): RecordedFix {
  const { publishedLatDeg, publishedLonDeg, late, outlier, superseded } = stored;
  if (!warm) return { ...logged, publishedLatDeg, publishedLonDeg, late, outlier, superseded };
  return Number.isNaN(logged.publishedLatDeg) ? { ...logged, publishedLatDeg, publishedLonDeg } : logged;
}

/** What viewers were shown is never taken back: the replay may not know a trip that began before it. */
function shownAlike(stored: RecordedFix, logged: RecordedFix): boolean {
  if (Number.isNaN(logged.publishedLatDeg)) return true;
  return (
    Math.abs(stored.publishedLatDeg - logged.publishedLatDeg) <= PLACE_TOLERANCE_DEG &&
    Math.abs(stored.publishedLonDeg - logged.publishedLonDeg) <= PLACE_TOLERANCE_DEG
  );
}

function same(a: RecordedFix, b: RecordedFix, fields: readonly (keyof RecordedFix)[]): boolean {
  return fields.every((field) => Object.is(a[field], b[field]));
}
