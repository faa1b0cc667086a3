import { type Fix, type FixBatch, partyKey } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { LogRecord } from "../eventlog/record.ts";
import { createContext, type FixContext } from "./context.ts";
import type { PipelineOutput } from "./output.ts";
import { deviceReported, fixesCame, partyOf, sessionChanged, sessionOf } from "./parties.ts";
import { sharesChanged, sharesErased } from "./shares.ts";
import { STAGES } from "./stages.ts";
import type { PartitionState } from "./state.ts";
import { sweep } from "./sweep.ts";
import { tripChanged } from "./trip-changes.ts";

export { createPartitionState } from "./state.ts";

/** One entry of a partition, decoded. */
export type PipelineEntry = { sequence: number; loggedAtMs: number; records: readonly LogRecord[] };

/**
 * Takes an entry through the pipeline: a pure function of (state, entry, limits) that changes the state and adds to the
 * output. The same entries in the same order give the same states and outputs, whoever runs them and whenever. An entry
 * that was processed already changes nothing.
 * @param out empty: the changes of an entry are numbered by their place in it
 */
export function processEntry(
  state: PartitionState,
  entry: PipelineEntry,
  limits: Limits,
  out: PipelineOutput,
): void {
  if (entry.sequence <= state.cursor) return;
  state.cursor = entry.sequence;
  let context: FixContext | undefined;
  for (const record of entry.records) {
    state.pipelineTimeMs = Math.max(state.pipelineTimeMs, record.receivedAtMs);
    if (record.kind === "fixBatch") context = processFixes(state, entry, record, limits, out, context);
    else processRecord(state, entry, record, limits, out);
  }
  sweep(state, limits);
}

function processRecord(
  state: PartitionState,
  entry: PipelineEntry,
  record: Exclude<LogRecord, { kind: "fixBatch" }>,
  limits: Limits,
  out: PipelineOutput,
): void {
  switch (record.kind) {
    case "tripChange":
      tripChanged(state, entry, record.trip, limits, out);
      sharesChanged(state, entry, record.trip, limits, out);
      return;
    case "sessionOpened":
      sessionChanged(state, entry, record, limits, out);
      return;
    case "deviceState":
      deviceReported(state, entry, record, limits, out);
      return;
    case "erased":
      state.erased.set(partyKey(record.party), record.receivedAtMs);
      state.parties[record.party.kind].delete(record.party.id);
      if (record.party.kind === "rider") sharesErased(state, entry, record.party.id, out);
      return;
    case "vehicleChange":
    case "tick":
      return; // time has passed; the other is for stages that are not built yet
  }
}

/** Takes a batch through the stages. Returns the context, to be used again for the entry's next batch. */
function processFixes(
  state: PartitionState,
  entry: PipelineEntry,
  batch: FixBatch,
  limits: Limits,
  out: PipelineOutput,
  used: FixContext | undefined,
): FixContext | undefined {
  const first = batch.fixes[0];
  if (!first) return used;
  const party = partyOf(state, batch.party);
  const session = sessionOf(party, batch, limits);
  fixesCame(state, entry, party, session, limits, out);
  const { sequence, loggedAtMs } = entry;
  const context =
    used ?? createContext({ state, limits, out, sequence, loggedAtMs, batch, fix: first, party, session });
  context.batch = batch;
  context.party = party;
  context.session = session;
  const erasedUntilMs = state.erased.size > 0 ? (state.erased.get(party.key) ?? 0) : 0;
  for (const fix of inOrder(batch.fixes)) {
    if (fix.capturedAtMs + batch.clockOffsetMs <= erasedUntilMs) continue;
    context.fix = fix;
    for (const stage of STAGES) if (!stage(context)) break;
  }
  party.lastSeenMs = state.pipelineTimeMs;
  return context;
}

/** A batch's fixes by seq, so that a batch sent newest first still moves the marker along all of them. */
function inOrder(fixes: readonly Fix[]): readonly Fix[] {
  for (let i = 1; i < fixes.length; i++) {
    if (fixes[i]!.seq < fixes[i - 1]!.seq) return [...fixes].sort((a, b) => a.seq - b.seq);
  }
  return fixes;
}
