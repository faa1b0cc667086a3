import type { TrailPoint } from "../../core/live.ts";
import { emit, type FixContext, positionOf } from "../context.ts";
import { mockFixSeen } from "../parties.ts";

/** Puts out the fix for history, the party's latest place, and the trip's live change. */
export function publish(context: FixContext): boolean {
  const { batch, fix, atMs, disposition, placed, estimate, trip, out } = context;
  const published = placed && (trip !== undefined || context.shared);
  out.fixes.push({
    batch,
    fix,
    atMs,
    disposition,
    outlier: placed && estimate.outlier,
    publishedLatDeg: published ? estimate.latDeg : Number.NaN,
    publishedLonDeg: published ? estimate.lonDeg : Number.NaN,
    tripId: trip?.live.tripId ?? "",
  });
  if (disposition === "applied") {
    mockFixSeen(context.party, fix.mock, batch.receivedAtMs);
    publishLatest(context);
  }
  if (placed && trip) disposition === "applied" ? publishPosition(context) : publishLate(context);
  return true;
}

function publishLatest({ party, session, batch, fix, atMs, estimate, trip, out }: FixContext): void {
  party.latest = {
    partyKey: party.key,
    sessionEpoch: session.epoch,
    seq: fix.seq,
    latDeg: estimate.latDeg,
    lonDeg: estimate.lonDeg,
    headingDeg: estimate.headingDeg,
    speedMps: estimate.speedMps,
    capturedAtMs: atMs,
    receivedAtMs: batch.receivedAtMs,
    tripId: trip?.live.tripId ?? "",
  };
  out.parties.push(party.latest);
}

function publishPosition(context: FixContext): void {
  const { trip, atMs, limits, phased, party } = context;
  const live = trip!.live;
  const position = positionOf(context);
  const deviceBack = party.device !== undefined && party.device !== live.device;
  if (deviceBack) live.device = party.device;
  live.position = position;
  const { latDeg, lonDeg } = position;
  trip!.trail.push({ latDeg, lonDeg, capturedAtMs: atMs }, limits.maxTrailPoints);
  const change = emit(context, trip!, position);
  if (phased) change.trip = phased;
  if (deviceBack) change.device = party.device;
}

function publishLate(context: FixContext): void {
  const { trip, atMs, estimate, limits } = context;
  const live = trip!.live;
  if (!live.position || atMs >= live.position.capturedAtMs) return;
  const point: TrailPoint = { latDeg: estimate.latDeg, lonDeg: estimate.lonDeg, capturedAtMs: atMs };
  if (trip!.trail.add(point, limits.maxTrailPoints)) emit(context, trip!).latePoints = [point];
}
