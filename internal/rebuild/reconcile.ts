import type { Party } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { RecordedFix, TrackChunk } from "../history/history.ts";
import { correctedAtMs, mergeFixes } from "../history/merge.ts";
import { corrected, isAsLogged } from "./compare-fix.ts";

/**
 * Added to the log sequence in the key of a row that a rebuild makes: no processor's row has that key, so neither
 * replaces the other, whatever it writes later. Beyond any sequence, within what a double holds.
 */
const REBUILT_SEQUENCES = 2 ** 50;

/** A fix as the log says it should be in the record. */
export type LoggedFix = {
  fix: RecordedFix;
  /** Of the entry that brought it. */
  sequence: number;
  /** Pipeline time when it came. */
  pipelineTimeMs: number;
  warm: boolean;
};

/** What is to be done about the fixes of one party. */
export type Reconciled = {
  found: number;
  added: RecordedFix[];
  corrected: RecordedFix[];
  /** Wrong in a row that may still grow. */
  left: LoggedFix[];
  /** Rows to write over what is there. */
  rows: TrackChunk[];
};

/**
 * Compares what the log says with the chunks as stored. A fix that no chunk has goes into a row of the rebuild's own; one
 * that stands there otherwise is corrected in every row that has it, under that row's key. What only the record has is
 * left alone: the log may have lost it, or never had it that far back.
 * @param logged each fix once, in order of arrival
 * @param mayGrow whether a row whose first fix came at that pipeline time may still be written by its owner
 */
export function reconcile(
  party: Party,
  logged: readonly LoggedFix[],
  stored: readonly TrackChunk[],
  limits: Pick<Limits, "maxFixesPerChunk" | "maxChunkSpanMs">,
  mayGrow: (pipelineTimeMs: number) => boolean,
): Reconciled {
  const copies = copiesOf(stored);
  const missing: LoggedFix[] = [];
  const wrong: Wrong[] = [];
  let found = 0;
  for (const one of logged) {
    const own = copies.get(nameOf(one.fix));
    if (!own) missing.push(one);
    else if (isAsLogged(mergeFixes(own.map(({ fix }) => fix))[0]!, one.fix, one.warm)) found++;
    else wrong.push({ one, copies: own });
  }
  const openedAtMs = openedTimes(logged, copies);
  const grows = (chunk: TrackChunk) => mayGrow(openedAtMs.get(chunk) ?? Number.POSITIVE_INFINITY);
  const left = wrong.filter((each) => each.copies.some(({ chunk }) => grows(chunk)));
  const mended = wrong.filter((each) => !left.includes(each));
  return {
    found,
    added: missing.map(({ fix }) => fix),
    corrected: mended.map(({ one, copies: own }) => replacement(one, own)),
    left: left.map(({ one }) => one),
    rows: rowsToWrite(party, mended, missing, stored, limits),
  };
}

type Copy = { fix: RecordedFix; chunk: TrackChunk };
type Wrong = { one: LoggedFix; copies: readonly Copy[] };

const nameOf = ({ sessionId, seq }: RecordedFix) => `${sessionId} ${seq}`;

function copiesOf(stored: readonly TrackChunk[]): Map<string, Copy[]> {
  const copies = new Map<string, Copy[]>();
  for (const chunk of stored)
    for (const fix of chunk.fixes) {
      const own = copies.get(nameOf(fix));
      if (own) own.push({ fix, chunk });
      else copies.set(nameOf(fix), [{ fix, chunk }]);
    }
  return copies;
}

/** The earliest pipeline time known of a fix of each chunk: it was begun then, or before. */
function openedTimes(
  logged: readonly LoggedFix[],
  copies: ReadonlyMap<string, readonly Copy[]>,
): Map<TrackChunk, number> {
  const times = new Map<TrackChunk, number>();
  for (const { fix, pipelineTimeMs } of logged)
    for (const { chunk } of copies.get(nameOf(fix)) ?? [])
      times.set(chunk, Math.min(times.get(chunk) ?? pipelineTimeMs, pipelineTimeMs));
  return times;
}

function replacement({ fix, warm }: LoggedFix, copies: readonly Copy[]): RecordedFix {
  return corrected(mergeFixes(copies.map((copy) => copy.fix))[0]!, fix, warm);
}

function rowsToWrite(
  party: Party,
  mended: readonly Wrong[],
  missing: readonly LoggedFix[],
  stored: readonly TrackChunk[],
  limits: Pick<Limits, "maxFixesPerChunk" | "maxChunkSpanMs">,
): TrackChunk[] {
  const changed = mendedRows(mended);
  const added = newRows(
    party,
    missing,
    stored.map((chunk) => changed.get(chunk) ?? chunk),
    limits,
  );
  const others = [...changed.values()].filter((chunk) => !added.some((row) => sameKey(row, chunk)));
  return [...others, ...added];
}

function mendedRows(mended: readonly Wrong[]): Map<TrackChunk, TrackChunk> {
  const fixesOf = new Map<TrackChunk, Map<RecordedFix, RecordedFix>>();
  for (const { one, copies } of mended) {
    const right = replacement(one, copies);
    for (const { fix, chunk } of copies) {
      const changed = fixesOf.get(chunk) ?? new Map<RecordedFix, RecordedFix>();
      fixesOf.set(chunk, changed.set(fix, right));
    }
  }
  const rows = new Map<TrackChunk, TrackChunk>();
  for (const [chunk, changed] of fixesOf) {
    const fixes = chunk.fixes.map((fix) => changed.get(fix) ?? fix);
    rows.set(chunk, withFixes(chunk, fixes));
  }
  return rows;
}

/** Chunks of the missing fixes; one that an earlier rebuild began under the same key keeps what it has. */
function newRows(
  party: Party,
  missing: readonly LoggedFix[],
  stored: readonly TrackChunk[],
  { maxFixesPerChunk, maxChunkSpanMs }: Pick<Limits, "maxFixesPerChunk" | "maxChunkSpanMs">,
): TrackChunk[] {
  const rows: { chunk: TrackChunk; fixes: RecordedFix[] }[] = [];
  const open = new Map<string, (typeof rows)[number]>();
  for (const { fix, sequence } of missing) {
    const atMs = correctedAtMs(fix);
    let row = open.get(fix.sessionId);
    const fits =
      row && row.fixes.length < maxFixesPerChunk && Math.abs(atMs - row.chunk.firstAtMs) <= maxChunkSpanMs;
    if (!row || !fits) {
      const key = { party, sessionId: fix.sessionId, firstAtMs: atMs, firstSeq: fix.seq };
      const firstSequence = REBUILT_SEQUENCES + sequence;
      row = { chunk: { ...key, firstSequence, minAtMs: atMs, maxAtMs: atMs, fixes: [] }, fixes: [] };
      open.set(fix.sessionId, row);
      rows.push(row);
    }
    row.fixes.push(fix);
  }
  return rows.map(({ chunk, fixes }) => {
    const before = stored.filter((other) => sameKey(other, chunk)).flatMap((other) => other.fixes);
    return withFixes(chunk, [...fixes, ...before]);
  });
}

function sameKey(a: TrackChunk, b: TrackChunk): boolean {
  return (
    a.sessionId === b.sessionId &&
    a.firstSeq === b.firstSeq &&
    a.firstSequence === b.firstSequence &&
    Math.round(a.firstAtMs) === Math.round(b.firstAtMs)
  );
}

function withFixes(chunk: TrackChunk, fixes: readonly RecordedFix[]): TrackChunk {
  const times = fixes.map(correctedAtMs);
  return { ...chunk, fixes, minAtMs: Math.min(...times), maxAtMs: Math.max(...times) };
}
