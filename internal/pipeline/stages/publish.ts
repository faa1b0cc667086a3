import type { LivePosition, TrailPoint } from "../../core/live.ts";
import { emit, type FixContext } from "../context.ts";

/** Puts out the fix for history, the party's latest place, and the trip's live change. */
export function publish(context: FixContext): boolean {
  const { batch, fix, atMs, disposition, placed, estimate, trip, out } = context;
  const shown = placed && trip !== undefined;
  out.fixes.push({
    batch,
    fix,
    atMs,
    disposition,
    outlier: placed && estimate.outlier,
    publishedLatDeg: shown ? estimate.latDeg : Number.NaN,
    publishedLonDeg: shown ? estimate.lonDeg : Number.NaN,
    tripId: trip?.live.tripId ?? "",
  });
  if (disposition === "applied") publishLatest(context);
  if (shown) disposition === "applied" ? publishPosition(context) : publishLate(context);
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
  const { trip, batch, atMs, estimate, loggedAtMs, limits, phased, party } = context;
  const live = trip!.live;
  const position: LivePosition = {
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
