import type { Fix, FixBatch } from "../core/fix.ts";
import type { Limits } from "../core/limits.ts";
import type { LiveChange, LivePosition } from "../core/live.ts";
import type { Trip } from "../core/trip.ts";
import type { Disposition, PipelineOutput } from "./output.ts";
import { createEstimate, type Estimate } from "./stages/position.ts";
import type { PartitionState, PartyState, SessionState, TripState } from "./state.ts";

/** What the stages share while one fix is on its way; one object per entry, filled anew for each fix. */
export type FixContext = {
  readonly state: PartitionState;
  readonly limits: Limits;
  readonly out: PipelineOutput;
  readonly sequence: number;
  readonly loggedAtMs: number;
  batch: FixBatch;
  fix: Fix;
  party: PartyState;
  session: SessionState;
  /** Corrected capture time: device time plus offset, plus the shift after a clock step. */
  atMs: number;
  disposition: Disposition;
  /** True when `estimate` holds a place to show. */
  placed: boolean;
  estimate: Estimate;
  trip: TripState | undefined;
  /** The trip in its new phase, when this fix brought one. */
  phased: Trip | undefined;
  /** True when the place is shown to the driver of a trip that the rider waits for. */
  shared: boolean;
};

type Given = "state" | "limits" | "out" | "sequence" | "loggedAtMs" | "batch" | "fix" | "party" | "session";

/** A context before the first stage. */
export function createContext(given: Pick<FixContext, Given>): FixContext {
  return {
    state: given.state,
    limits: given.limits,
    out: given.out,
    sequence: given.sequence,
    loggedAtMs: given.loggedAtMs,
    batch: given.batch,
    fix: given.fix,
    party: given.party,
    session: given.session,
    atMs: 0,
    disposition: "applied",
    placed: false,
    estimate: createEstimate(),
    trip: undefined,
    phased: undefined,
    shared: false,
  };
}

/** The fix's place as viewers are shown it. Who publishes it sets `processedAtMs`. */
export function positionOf({ batch, atMs, estimate, loggedAtMs }: FixContext): LivePosition {
  return {
    latDeg: estimate.latDeg,
    lonDeg: estimate.lonDeg,
    headingDeg: estimate.headingDeg,
    speedMps: estimate.speedMps,
    accuracyM: estimate.accuracyM,
    capturedAtMs: atMs,
    receivedAtMs: batch.receivedAtMs,
    loggedAtMs,
    processedAtMs: 0,
  };
}

/**
 * Appends a change of a trip's live state with the next version and returns it, for the caller to put in what changed;
 * the position, which most have, goes in here. The trip's own live state is kept up to date by the caller.
 */
export function emit(
  context: { out: PipelineOutput; sequence: number },
  { live }: TripState,
  position?: LivePosition,
): LiveChange {
  const { tripId, version: previous } = live;
  const { generation } = previous;
  const version = { generation, sequence: context.sequence, index: context.out.changes.length };
  const change: LiveChange = position
    ? { tripId, version, previous, position }
    : { tripId, version, previous };
  live.version = version;
  context.out.changes.push(change);
  return change;
}
