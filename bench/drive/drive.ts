import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { DescEnum } from "@bufbuild/protobuf";
import { VerdictCodeSchema } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import { type Freshness, FreshnessSchema } from "../../gen/bimride/tracking/v1/live_pb.ts";
import type { App } from "../../internal/app/app.ts";
import { fromE7 } from "../../internal/core/geo.ts";
import { DEFAULT_LIMITS } from "../../internal/core/limits.ts";
import type { Clock } from "../../internal/core/time.ts";
import { compareVersions, formatVersion, type Version } from "../../internal/core/version.ts";
import { VirtualClock } from "../../internal/core/virtual-clock.ts";
import { DriverLink } from "../load/driver-link.ts";
import { createDriveTrip } from "./drive-trip.ts";
import { readPath, type Trace, type TraceRow } from "./trace.ts";
import { type SeenState, TripReader } from "./trip-reader.ts";

const DRIVER_ID = "drive";
/** Time that is let pass after the last fix, so that the end of the drive has settled on the map. */
const TAIL_MS = 2_000;

export type DriveResult = { sent: number; verdicts: Record<string, number>; published: number; late: number };

/**
 * Sends a recorded drive through the real gRPC stream as a trip and writes what a watcher got, a row per published state.
 * With a virtual clock the next fix waits until the watcher has the last one's state, so that nothing is conflated;
 * with a running clock fixes leave when they are due.
 */
export async function drive(
  app: App,
  clock: Clock,
  trace: Trace,
  options: { out: string; planPath?: string },
): Promise<DriveResult> {
  const plannedPath = options.planPath ? readPath(options.planPath, DEFAULT_LIMITS.maxPathPoints) : [];
  const trip = await createDriveTrip(app, DRIVER_ID, trace, plannedPath);
  let newest: Version | undefined;
  using _subscription = await app.engines.bus.subscribe(trip.tripId, (change) => {
    newest = change.version;
  });
  const file = createWriteStream(options.out);
  file.write("t_ms,lat,lon,version,freshness,late\n");
  const result: DriveResult = { sent: 0, verdicts: {}, published: 0, late: 0 };
  const row = (point: Point, version: Version, freshness: Freshness, late: boolean) => {
    const tMs = trace.recordedAt(Number(point.capturedAtMs));
    if (tMs === undefined) return;
    result[late ? "late" : "published"]++;
    const place = `${fromE7(point.latitudeE7).toFixed(7)},${fromE7(point.longitudeE7).toFixed(7)}`;
    file.write(
      `${tMs},${place},${formatVersion(version)},${nameOf(FreshnessSchema, freshness)},${late ? 1 : 0}\n`,
    );
  };
  const reader = new TripReader(app, trip, (state) => writeRows(state, row));
  const link = new DriverLink({
    address: app.grpcAddress,
    token: await app.mint("driver", DRIVER_ID),
    sessionId: "recorded-drive",
    now: () => clock.now(),
  });
  await link.hello(trace.rows[0]?.fix);
  for (const traceRow of trace.rows) {
    await due(clock, traceRow);
    const ack = await link.send([traceRow.fix]);
    result.sent++;
    for (const verdict of ack.verdicts) {
      const name = nameOf(VerdictCodeSchema, verdict.code);
      result.verdicts[name] = (result.verdicts[name] ?? 0) + 1;
    }
    if (clock instanceof VirtualClock) await seen(app, reader, () => newest);
  }
  await pass(clock, TAIL_MS);
  await seen(app, reader, () => newest);
  link.close();
  await reader.stop();
  file.end();
  await finished(file);
  return result;
}

type Point = { latitudeE7: number; longitudeE7: number; capturedAtMs: bigint };
type RowWriter = (point: Point, version: Version, freshness: Freshness, late: boolean) => void;

function writeRows({ message, version, freshness, capturedBefore }: SeenState, row: RowWriter): void {
  if (message.$typeName === "bimride.tracking.v1.TripUpdate") {
    for (const point of message.latePoints) row(point, version, freshness, true);
  }
  const { position } = message;
  if (position && Number(position.capturedAtMs) > capturedBefore) row(position, version, freshness, false);
}

/** Name of an enum's value in the contract, without its prefix. */
function nameOf(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName ?? String(value);
}

/** Waits until the fix is due: a late one (captured before what was sent already) at once. */
async function due(clock: Clock, { fix }: TraceRow): Promise<void> {
  await pass(clock, fix.capturedAtMs - clock.now());
}

async function pass(clock: Clock, delayMs: number): Promise<void> {
  if (delayMs <= 0) return;
  if (clock instanceof VirtualClock) clock.advanceTo(clock.now() + delayMs);
  else {
    // The clock's own timers keep no process alive; this wait has to.
    const keepAlive = setInterval(() => {}, 1_000);
    await new Promise<void>((resolve) => clock.after(delayMs, resolve));
    clearInterval(keepAlive);
  }
}

/** Waits until the live projection has read the whole log and the watcher has what it published. */
async function seen(app: App, reader: TripReader, newest: () => Version | undefined): Promise<void> {
  await app.liveCaughtUp();
  await reader.reached(() => {
    const published = newest();
    return published === undefined || compareVersions(reader.version, published) >= 0;
  });
}
