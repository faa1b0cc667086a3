import type { types } from "cassandra-driver";
import type { CassandraLink } from "../../cassandra/link.ts";
import { partyKey } from "../../core/fix.ts";
import { decodeChunk } from "../codec.ts";
import type { ChunkQuery, RecordedFix, TrackChunk, TrackQuery } from "../history.ts";
import { correctedAtMs, isAsked, mergeFixes, trackKey } from "../merge.ts";
import { dayOf, SLACK_MS } from "./pieces.ts";

/**
 * Repeats of a fix are told as such when their corrected times (which differ when the session's clock offset was
 * estimated anew between them) lie this close together.
 */
const REPEAT_MARGIN_MS = 300_000;
/** How far from a fix the first_at of its row, or of a row with a repeat of it, may be. */
const REACH_MS = SLACK_MS + REPEAT_MARGIN_MS;
/** Rows read together: bounds the memory of a query over a long range. */
const MIN_ROWS_PER_READ = 32;
const MAX_ROWS_PER_READ = 256;
/** Days asked for at once in a range of many. */
const MAX_DAYS_AT_ONCE = 8;

const SELECT = `SELECT first_at, fixes FROM track_chunks
  WHERE party = ? AND day = ? AND first_at >= ? AND first_at <= ?`;

const SELECT_STORED = `SELECT session_id, first_seq, first_sequence, chunk_at, fixes FROM track_chunks
  WHERE party = ? AND day = ? AND first_at >= ? AND first_at <= ?`;

/** Rows in order of first_at; `readUntilMs`: all rows before it have been given, Infinity at the end. */
type Part = { blobs: Uint8Array[]; readUntilMs: number };
type Answer = Part & { pageState: string | undefined };
/** The times that rows can be found in, as a range that is asked for may have no ends. */
export type Span = { fromMs: number; toMs: number };

/**
 * Answers `track`: goes through the party's days, oldest first, and hands on what can't change any more by rows that
 * are still to come.
 */
export async function readTrack(link: CassandraLink, query: TrackQuery, span: Span): Promise<RecordedFix[]> {
  const page: RecordedFix[] = [];
  const fromMs = Math.max(query.fromMs, query.after?.atMs ?? query.fromMs);
  let doneUntilMs = fromMs;
  let waiting: RecordedFix[] = [];
  for await (const { blobs, readUntilMs } of parts(link, { ...query, fromMs }, span)) {
    for (const blob of blobs) for (const fix of decodeChunk(blob).fixes) waiting.push(fix);
    const untilMs = readUntilMs - REACH_MS;
    if (untilMs <= doneUntilMs) continue;
    for (const fix of mergeFixes(waiting)) {
      const atMs = correctedAtMs(fix);
      if (atMs < doneUntilMs || atMs >= untilMs || !isAsked(query, trackKey(fix))) continue;
      if (page.push(fix) === query.limit) return page;
    }
    doneUntilMs = untilMs;
    waiting = waiting.filter((fix) => correctedAtMs(fix) >= untilMs - REPEAT_MARGIN_MS);
  }
  return page;
}

/** The party's rows as chunks under the keys that they were written with; a chunk of several rows comes as several. */
export async function storedChunks(
  link: CassandraLink,
  { party, fromMs, toMs }: ChunkQuery,
): Promise<TrackChunk[]> {
  const chunks: TrackChunk[] = [];
  const [first, last] = [Math.floor(fromMs - SLACK_MS), Math.ceil(toMs + SLACK_MS)];
  for (let day = dayOf(first); day <= dayOf(last); day++) {
    let pageState: string | undefined;
    do {
      const options = { fetchSize: MAX_ROWS_PER_READ, ...(pageState === undefined ? {} : { pageState }) };
      const answer = await link.execute(SELECT_STORED, [partyKey(party), day, first, last], options);
      for (const row of answer.rows) {
        const chunk = { ...decodeChunk(row.fixes as Uint8Array), ...keyOf(row) };
        if (chunk.minAtMs <= toMs && chunk.maxAtMs >= fromMs) chunks.push(chunk);
      }
      pageState = answer.pageState ?? undefined;
    } while (pageState !== undefined);
  }
  return chunks;
}

function keyOf(row: types.Row): Pick<TrackChunk, "sessionId" | "firstAtMs" | "firstSeq" | "firstSequence"> {
  return {
    sessionId: String(row.session_id),
    firstAtMs: (row.chunk_at as Date).getTime(),
    firstSeq: Number(row.first_seq),
    firstSequence: Number(row.first_sequence),
  };
}

async function* parts(link: CassandraLink, query: TrackQuery, span: Span): AsyncGenerator<Part> {
  const fromMs = Math.floor(Math.max(query.fromMs, span.fromMs) - REACH_MS);
  const toMs = Math.ceil(Math.min(query.toMs, span.toMs) + REACH_MS);
  const rows = Math.min(MAX_ROWS_PER_READ, Math.max(MIN_ROWS_PER_READ, Math.ceil(query.limit / 30)));
  const party = partyKey(query.party);
  const read = (day: number, pageState?: string) =>
    readRows(link, [party, day, fromMs, toMs], { fetchSize: rows, pageState });
  const lastDay = dayOf(toMs);
  let atOnce = 2;
  for (let day = dayOf(fromMs); day <= lastDay; day += atOnce, atOnce = MAX_DAYS_AT_ONCE) {
    const days = Array.from({ length: Math.min(atOnce, lastDay - day + 1) }, (_, i) => day + i);
    const answers = await Promise.all(days.map((one) => read(one)));
    for (const [i, first] of answers.entries()) {
      let answer = first;
      while (answer.pageState !== undefined) {
        yield answer;
        answer = await read(days[i]!, answer.pageState);
      }
      const last = days[i] === lastDay;
      yield { ...answer, readUntilMs: last ? Number.POSITIVE_INFINITY : answer.readUntilMs };
    }
  }
}

async function readRows(
  link: CassandraLink,
  params: [party: string, day: number, fromMs: number, toMs: number],
  options: { fetchSize: number; pageState: string | undefined },
): Promise<Answer> {
  const result = await link.execute(SELECT, params, options);
  const readUntilMs =
    (result.rows.at(-1)?.first_at as Date | undefined)?.getTime() ?? Number.NEGATIVE_INFINITY;
  return {
    blobs: result.rows.map(({ fixes }) => fixes as Uint8Array),
    readUntilMs,
    pageState: result.pageState ?? undefined,
  };
}
