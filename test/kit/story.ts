import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { createDriveTrip } from "../../bench/drive/drive-trip.ts";
import { readTrace, type Trace } from "../../bench/drive/trace.ts";
import { TripReader } from "../../bench/drive/trip-reader.ts";
import { tracesFolder } from "../../bench/drives/score.ts";
import { DriverLink } from "../../bench/load/driver-link.ts";
import { HistoryService, type TrackPoint, TrackView } from "../../gen/bimride/tracking/v1/history_pb.ts";
import { VerdictCode } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import { LiveService } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { TripService, TripStatus } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { distanceM, fromE7 } from "../../internal/core/geo.ts";
import { partitionOf } from "../../internal/core/ids.ts";
import { compareVersions, type Version } from "../../internal/core/version.ts";
import { VirtualClock } from "../../internal/core/virtual-clock.ts";
import { decodeEntry } from "../../internal/eventlog/codec.ts";
import type { Deployment } from "./deployment.ts";

const DRIVER = "story-driver";
const SYNTHETIC = fileURLToPath(new URL("../../examples/drive.csv", import.meta.url));
const recorded = `${tracesFolder() ?? ""}/gsdc-mtv/20200514-pixel4.csv`;

const drives: [name: string, path: string, everyS: number][] = [["the synthetic drive", SYNTHETIC, 4]];
if (existsSync(recorded)) drives.push(["a recorded drive", recorded, 4]);

function clientsOf(app: Deployment) {
  const transport = createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" });
  return {
    trips: createClient(TripService, transport),
    live: createClient(LiveService, transport),
    history: createClient(HistoryService, transport),
    async as(role: "rider" | "driver" | "backend" | "support", subject: string) {
      return { headers: { authorization: `Bearer ${await app.mint(role, subject)}` } };
    },
  };
}

async function wholeTrack(app: Deployment, tripId: string, view: TrackView): Promise<TrackPoint[]> {
  const { history, as } = clientsOf(app);
  const points: TrackPoint[] = [];
  for (let pageToken = ""; ; ) {
    const page = await history.getTrack(
      { tripId, view, pageSize: 100, pageToken },
      await as("support", "desk"),
    );
    points.push(...page.points);
    if (!page.nextPageToken) return points;
    pageToken = page.nextPageToken;
  }
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Sends the drive and lets every fix come out at the other end before the next one leaves. */
async function send(app: Deployment, clock: VirtualClock, trace: Trace, reader: TripReader): Promise<number> {
  let accepted = 0;
  const token = await app.mint("driver", DRIVER);
  const link = new DriverLink({
    address: app.grpcAddress,
    token,
    sessionId: "story-session",
    now: () => clock.now(),
  });
  await link.hello(trace.rows[0]?.fix);
  for (const { fix } of trace.rows) {
    clock.advanceTo(fix.capturedAtMs);
    const { verdicts } = await link.send([fix]);
    accepted += verdicts.filter(({ code }) => code === VerdictCode.ACCEPTED).length;
    await reader.reached(() => reader.capturedAtMs >= fix.capturedAtMs);
  }
  link.close();
  await link.closed;
  return accepted;
}

/** How a deployment is started: again after the one before was disposed gives the same data. */
export type OpenDeployment = (clock: VirtualClock) => Promise<Deployment>;

/**
 * The whole river as one test per drive: takes it from the driver's phone to the rider, the record and past a restart, and
 * looks at every station.
 * @param prepare makes an empty place for a deployment
 * @param options `recorded: false` for the synthetic drive alone
 */
export function storySuite(
  name: string,
  prepare: () => Promise<AsyncDisposable & { open: OpenDeployment }>,
  { recorded = true } = {},
): void {
  describe.each(recorded ? drives : drives.slice(0, 1))(
    `the whole river on %s, ${name}`,
    (_name, path, everyS) => {
      test("every station has what it should have", { timeout: 300_000 }, async () => {
        await using place = await prepare();
        const clock = new VirtualClock(Date.now());
        const trace = readTrace(path, { startMs: clock.now() + 1_000, everyS, maxPauseMs: 60_000 });
        const sent = new Map(trace.rows.map(({ fix }) => [fix.seq, fix]));
        let tripId: string;
        let live: TrackPoint[];
        {
          await using app = await place.open(clock);
          const { trips, as, live: liveService, history } = clientsOf(app);
          const trip = await createDriveTrip(app, DRIVER, trace, []);
          tripId = trip.tripId;

          const versions: Version[] = [];
          const statuses: TripStatus[] = [];
          const reader = new TripReader(app, trip, ({ message, version }) => {
            versions.push(version);
            if (message.trip) statuses.push(message.trip.status);
          });
          // Station 1, the way in: every fix is acked, and only after the log had it.
          expect(await send(app, clock, trace, reader)).toBe(sent.size);

          // Station 2, the log: the partition of the driver has each fix once, as sent.
          const logged = await fixesInLog(app, tripId);
          expect(logged.size).toBe(sent.size);
          for (const [seq, fix] of sent) {
            const found = logged.get(seq)!;
            expect(distanceM(found.latDeg, found.lonDeg, fix.latDeg, fix.lonDeg)).toBeLessThan(0.02);
            expect(found.capturedAtMs).toBe(fix.capturedAtMs);
          }

          // Station 3, the latest state: where the driver was last, a store period later at most.
          const last = [...sent.values()].at(-1)!;
          await expect
            .poll(() => app.latest.party(`driver/${DRIVER}`))
            .toMatchObject({ seq: last.seq, capturedAtMs: last.capturedAtMs, tripId });
          const latest = await app.latest.party(`driver/${DRIVER}`);
          expect(distanceM(latest!.latDeg, latest!.lonDeg, last.latDeg, last.lonDeg)).toBeLessThan(60);

          // Station 4, the viewer: versions only grow, the trip went through its phases.
          for (let i = 1; i < versions.length; i++)
            expect(compareVersions(versions[i]!, versions[i - 1]!)).toBeGreaterThanOrEqual(0);
          expect(versions.length).toBeGreaterThan(sent.size * 0.97);
          expect(statuses).toContain(TripStatus.ENROUTE_TO_DROPOFF);
          await reader.stop();
          const now = await liveService.getLiveTrip({ tripId }, await as("rider", trip.riderId));
          expect(Number(now.live!.position!.capturedAtMs)).toBe(last.capturedAtMs);
          expect(fromE7(now.live!.position!.latitudeE7)).toBeCloseTo(latest!.latDeg, 6);

          // Station 5, the trip ends, history has every fix once, what was shown beside what was sent.
          await trips.setTripStatus({ tripId, status: TripStatus.COMPLETE }, await as("driver", DRIVER));
          clock.advanceTo(clock.now() + 1_000);
          await until(async () => {
            clock.advanceTo(clock.now() + 600);
            return (await wholeTrack(app, tripId, TrackView.RECORDED)).length >= sent.size;
          });
          live = await wholeTrack(app, tripId, TrackView.RECORDED);
          expect(live.map(({ seq }) => seq)).toEqual([...sent.keys()].sort((a, b) => a - b));
          expect(live.filter(({ published }) => published).length / live.length).toBeGreaterThan(0.97);

          // Station 6, settlement: ten minutes later there is a final record.
          await until(async () => {
            clock.advanceTo(clock.now() + 60_000);
            const final = history.getTrack({ tripId, view: TrackView.FINAL }, await as("support", "desk"));
            return final.then(
              () => true,
              () => false,
            );
          });
          const { summary } = await history.getTrack(
            { tripId, view: TrackView.FINAL },
            await as("rider", trip.riderId),
          );
          expect(summary!.distanceM).toBeGreaterThan(1_000);
          expect(summary!.phases.at(-1)!.toMs).not.toBe(0n);
          const { events } = await history.listTripEvents({ tripId }, await as("support", "desk"));
          const reached = events.flatMap(({ event }) =>
            event.case === "status" ? [event.value.status] : [],
          );
          expect(reached).toEqual(
            expect.arrayContaining([TripStatus.NEW, TripStatus.ENROUTE_TO_DROPOFF, TripStatus.COMPLETE]),
          );
          expect(events.some(({ event }) => event.case === "settled")).toBe(true);
        }

        // Station 7, a restart: the same trip, the same record.
        await using again = await place.open(clock);
        const { trips, as } = clientsOf(again);
        expect((await trips.getTrip({ tripId }, await as("backend", "desk"))).trip!.status).toBe(
          TripStatus.COMPLETE,
        );
        expect(await wholeTrack(again, tripId, TrackView.RECORDED)).toEqual(live);
      });
    },
  );
}

async function fixesInLog(app: Deployment, tripId: string) {
  const log = app.logs.get(tripId.split("-")[0]!)!;
  const partition = partitionOf({ kind: "driver", id: DRIVER }, log.partitions);
  const { last } = await log.bounds(partition);
  const stop = new AbortController();
  const found = new Map<number, { latDeg: number; lonDeg: number; capturedAtMs: number }>();
  for await (const batch of log.read(new Map([[partition, 0]]), stop.signal)) {
    for (const entry of batch) {
      if (entry.partition !== partition) continue;
      for (const record of decodeEntry(entry.body).records) {
        if (record.kind !== "fixBatch") continue;
        for (const fix of record.fixes) {
          expect(found.has(fix.seq)).toBe(false);
          found.set(fix.seq, fix);
        }
      }
      if (entry.sequence >= last) stop.abort();
    }
  }
  return found;
}
