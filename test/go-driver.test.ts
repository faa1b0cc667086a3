import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readCsv } from "../bench/drive/trace.ts";
import { ServiceProcess } from "../bench/load/service-process.ts";
import { HistoryService, type TrackPoint } from "../gen/bimride/tracking/v1/history_pb.ts";
import { TripService, TripStatus, TripType, WaypointKind } from "../gen/bimride/tracking/v1/trip_pb.ts";
import { cuttableLink } from "./kit/cuttable-link.ts";
import { describeWithGo } from "./kit/go.ts";
import { buildGoDriver, GoDriver } from "./kit/go-driver.ts";
import { type TempFolder, tempFolder } from "./kit/temp-folder.ts";

const DRIVE = fileURLToPath(new URL("../examples/drive.csv", import.meta.url));
const BUILD_TIMEOUT_MS = 600_000;
const DRIVE_TIMEOUT_MS = 180_000;
const WAIT = { timeout: 60_000, interval: 50 };
/** Far from the drive, so that it neither arrives nor completes. */
const ELSEWHERE = { latitudeDeg: 59.33, longitudeDeg: 18.06 };

function clientsOf({ httpUrl }: ServiceProcess) {
  const transport = createConnectTransport({ baseUrl: httpUrl, httpVersion: "1.1" });
  return { trips: createClient(TripService, transport), history: createClient(HistoryService, transport) };
}

async function as(service: ServiceProcess, role: "backend" | "support") {
  return { headers: { authorization: `Bearer ${await service.mint(role, "desk")}` } };
}

/** A trip that the driver is on from now on. */
async function tripOf(service: ServiceProcess, driverId: string): Promise<string> {
  const { trips } = clientsOf(service);
  const backend = await as(service, "backend");
  const { trip } = await trips.createTrip(
    {
      ...{ idempotencyKey: driverId, type: TripType.EXCLUSIVE, riderIds: ["rosa"], driverId },
      waypoints: [WaypointKind.PICKUP, WaypointKind.DROPOFF].map((kind) => ({ kind, position: ELSEWHERE })),
    },
    backend,
  );
  const { tripId } = trip!;
  await trips.setTripStatus({ tripId, status: TripStatus.ENROUTE_TO_PICKUP }, backend);
  return tripId;
}

async function trackOf(service: ServiceProcess, tripId: string): Promise<TrackPoint[]> {
  const options = await as(service, "support");
  const { points } = await clientsOf(service).history.getTrack({ tripId, pageSize: 10_000 }, options);
  return points;
}

const placeOf = (latDeg: number, lonDeg: number) => `${latDeg.toFixed(7)},${lonDeg.toFixed(7)}`;

describeWithGo("the driver in Go", () => {
  let built: TempFolder;
  let program: string;

  beforeAll(async () => {
    built = await tempFolder();
    program = await buildGoDriver(built.path);
  }, BUILD_TIMEOUT_MS);

  afterAll(() => built?.[Symbol.asyncDispose]());

  test(
    "is cut off, killed and outlives its gateway, and every fix of the drive is in history exactly once",
    async () => {
      await using folder = await tempFolder();
      await using service = await ServiceProcess.start(["--no-demo"]);
      using link = await cuttableLink(service.grpcAddress);
      const tripId = await tripOf(service, "gopher");
      await writeFile(folder.file("token"), await service.mint("driver", "gopher"));
      const flags = {
        ...{ address: link.address, trace: DRIVE, speed: 60 },
        ...{ state: folder.file("state"), "token-file": folder.file("token") },
      };
      await using first = new GoDriver(program, flags);
      await expect.poll(() => first.answered, WAIT).toBeGreaterThan(100);

      link.cut();
      await expect.poll(() => first.lines.at(-1), WAIT).toContain("reconnecting");
      link.heal();
      await expect.poll(() => first.connects, WAIT).toBe(2);

      link.cut();
      await first.kill();
      link.heal();
      await using second = new GoDriver(program, flags);
      await expect.poll(() => second.answered, WAIT).toBeGreaterThan(100);
      await service.stop();
      expect(second.lines.join("\n")).toContain("the gateway goes away");
      await service.restart();
      await expect.poll(() => second.connects, WAIT).toBeGreaterThan(1);
      await service.kill();
      await expect.poll(() => second.lines.at(-1), WAIT).toContain("reconnecting");
      await service.restart();

      expect(await second.exit()).toBe(0);
      expect(second.connects).toBeGreaterThan(2);
      const rows = readCsv(DRIVE, ["t_ms", "lat", "lon"]).map((row) =>
        placeOf(Number(row.lat), Number(row.lon)),
      );
      await expect.poll(async () => (await trackOf(service, tripId)).length, WAIT).toBe(rows.length);
      const points = (await trackOf(service, tripId)).sort((a, b) => a.seq - b.seq);
      expect(points.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index));
      expect(points.map(({ position }) => placeOf(position!.latitudeDeg, position!.longitudeDeg))).toEqual(
        rows,
      );
      expect(new Set(points.map(({ sessionId }) => sessionId)).size).toBe(1);
    },
    DRIVE_TIMEOUT_MS,
  );

  test(
    "takes a new token up on the stream that stands, and drives on after the first one has ended",
    async () => {
      await using folder = await tempFolder();
      await using service = await ServiceProcess.start(["--no-demo"]);
      const ttlMs = 8_000;
      await writeFile(folder.file("token"), await service.mint("driver", "gopher", ttlMs));
      const endsAtMs = Date.now() + ttlMs;
      await using driver = new GoDriver(program, {
        ...{ address: service.grpcAddress, trace: DRIVE, speed: 60 },
        ...{ state: folder.file("state"), "token-file": folder.file("token") },
      });
      await expect.poll(() => driver.answered, WAIT).toBeGreaterThan(50);
      await writeFile(folder.file("token"), await service.mint("driver", "gopher"));
      expect(await driver.exit()).toBe(0);
      expect(Date.now()).toBeGreaterThan(endsAtMs);
      expect(driver.connects).toBe(1);
      expect(driver.lines.join("\n")).toContain("new token");
    },
    DRIVE_TIMEOUT_MS,
  );

  test(
    "ends when another device of the driver takes over, and hands in what it still has",
    async () => {
      await using folder = await tempFolder();
      await using service = await ServiceProcess.start(["--no-demo"]);
      await writeFile(folder.file("token"), await service.mint("driver", "gopher"));
      using link = await cuttableLink(service.grpcAddress);
      const start = (state: string, address: string) =>
        new GoDriver(program, {
          ...{ address, trace: DRIVE, speed: 10 },
          ...{ state: folder.file(state), "token-file": folder.file("token") },
        });
      const tripId = await tripOf(service, "gopher");
      await using first = start("first", link.address);
      await expect.poll(() => first.answered, WAIT).toBeGreaterThan(10);
      link.cut();
      await using second = start("second", service.grpcAddress);
      await expect.poll(() => second.answered, WAIT).toBeGreaterThan(30);
      link.heal();
      expect(await first.exit()).toBe(3);
      const track = await trackOf(service, tripId);
      const session = track.find(({ seq }) => seq === 0)?.sessionId;
      const ofFirst = () =>
        trackOf(service, tripId).then((points) => points.filter((point) => point.sessionId === session));
      await expect.poll(async () => (await ofFirst()).length, WAIT).toBeGreaterThan(first.answered + 20);
      const seqs = (await ofFirst()).map(({ seq }) => seq);
      expect(seqs.sort((a, b) => a - b)).toEqual(seqs.map((_, index) => index));
    },
    DRIVE_TIMEOUT_MS,
  );
});
