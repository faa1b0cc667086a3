import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServiceProcess } from "../../bench/load/service-process.ts";
import { TripService, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { packClients } from "./pack.ts";

const run = promisify(execFile);
const root = new URL("../..", import.meta.url).pathname;
const INSTALL_MS = 240_000;

/** A Node of an age that packages must run on, which is not the pinned one. */
function oldNode(): string | undefined {
  const folders = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => !folder.includes("node_modules"));
  const found = folders.map((folder) => join(folder, "node")).filter(existsSync);
  return found.find((path) => /^v2[02]\./.test(execFileSync(path, ["--version"], { encoding: "utf8" })));
}

const node = oldNode();

/** Sends a fix with the driver library and waits until the watcher library shows it. */
const SENDS_AND_SEES = `
import { memoryStore, startDriver } from "bimride-driver";
import { grpcTransport } from "bimride-driver/grpc";
import { createWatcher } from "bimride-watcher";
import { WebSocket } from "ws";

const { API, GRPC, DRIVER, RIDER, TRIP, OVER } = process.env;
const driver = await startDriver({
  baseUrl: API,
  token: async () => DRIVER,
  store: memoryStore(),
  ...(OVER === "grpc" && { transportsTo: () => [grpcTransport(GRPC)] }),
  ...(OVER === "websocket" && { openSocket: (url, protocols) => new WebSocket(url, protocols) }),
});
const watcher = createWatcher({ baseUrl: API, tripIds: [TRIP], token: async () => RIDER });
const fix = driver.record({ latDeg: 57.7089 + Math.random() / 1000, lonDeg: 11.9746, accuracyM: 5, speedMps: 0 });
for await (const { position } of watcher) {
  if (position && Number(position.capturedAtMs) >= fix.capturedAtMs) break;
}
while (driver.state.unsent > 0) await new Promise((resolve) => setTimeout(resolve, 20));
console.log(JSON.stringify({ node: process.version, over: driver.state.connection.transport, seen: true }));
watcher.close();
await driver.stop();
process.exit(0);
`;

const CONSUMER = `
import { type DriverState, type Position, memoryStore, startDriver } from "bimride-driver";
import { grpcTransport } from "bimride-driver/grpc";
import { createWatcher, type TripState } from "bimride-watcher";

export async function drive(at: Position): Promise<DriverState> {
  const driver = await startDriver({
    baseUrl: "https://track.example.com",
    token: async () => "t",
    store: memoryStore(),
    transportsTo: ({ grpcAddress }) => [grpcTransport(grpcAddress)],
    onAssignment: ({ trip }) => console.log(trip?.waypoints.length),
  });
  driver.offer(at);
  const { code }: { code: string } = await driver.act("accept");
  // @ts-expect-error: there is no such action
  await driver.act("fly");
  console.log(code);
  return driver.state;
}

export const watch = (): ReadonlyMap<string, TripState> =>
  createWatcher({ baseUrl: "https://track.example.com", tripIds: ["a"], token: async () => "t" }).states;
`;

describe("the packed libraries in an empty project", () => {
  let folder: string;
  let app: ServiceProcess;
  let missing = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "bimride-consumer-"));
    app = await ServiceProcess.start([], { BIMRIDE_DEMO_CARS: "1" });
    const packed = await packClients(root, join(folder, "packed"));
    await writeFile(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
    const { dependencies, devDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    const others = ["ws", "@grpc/grpc-js"].map((name) => `${name}@${dependencies[name]}`);
    const types = `@types/node@${devDependencies["@types/node"]}`;
    try {
      const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
      await run("npm", ["install", ...options, ...packed.map(({ file }) => file), ...others, types], {
        cwd: folder,
      });
    } catch (error) {
      missing = `no npm registry: ${String(error).split("\n")[1] ?? ""}`;
      process.stderr.write(`\nTESTS OF THE PACKED LIBRARIES SKIPPED, ${missing}\n\n`);
    }
  }, INSTALL_MS);
  afterAll(async () => {
    await app?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test.for(["websocket", "grpc", "http"])(
    "send and see a fix over %s on an old Node",
    { timeout: INSTALL_MS },
    async (over, context) => {
      if (missing) context.skip(missing);
      if (!node) return context.skip("no Node 20 or 22 on the PATH");
      const driverId = `packed-${over}`;
      const tripId = await bookTrip(app, driverId);
      await writeFile(join(folder, "send.js"), SENDS_AND_SEES);
      const env = {
        ...{ PATH: process.env.PATH, API: app.httpUrl, GRPC: app.grpcAddress, TRIP: tripId, OVER: over },
        DRIVER: await app.mint("driver", driverId),
        RIDER: await app.mint("rider", `rider-of-${driverId}`),
      };
      const { stdout } = await run(node, ["send.js"], { cwd: folder, env, timeout: 60_000 });
      // Without a WebSocket of its own, and given none, Node 20 sends in batches.
      expect(JSON.parse(stdout)).toMatchObject({ over, seen: true });
    },
  );

  test(
    "have types that a strict consumer compiles with",
    async (context) => {
      if (missing) context.skip(missing);
      await writeFile(join(folder, "consumer.ts"), CONSUMER);
      const options = [
        "--noEmit",
        "--strict",
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "--types",
        "node",
      ];
      const tsc = join(root, "node_modules/typescript/bin/tsc");
      const result = await run(process.execPath, [tsc, ...options, "consumer.ts"], { cwd: folder }).then(
        () => "",
        (error: { stdout: string }) => error.stdout,
      );
      expect(result).toBe("");
    },
    INSTALL_MS,
  );
});

async function bookTrip(app: ServiceProcess, driverId: string): Promise<string> {
  const trips = createClient(
    TripService,
    createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" }),
  );
  const position = { latitudeDeg: 57.7089, longitudeDeg: 11.9746 };
  const { trip } = await trips.createTrip(
    {
      idempotencyKey: driverId,
      riderIds: [`rider-of-${driverId}`],
      driverId,
      waypoints: [
        { kind: WaypointKind.PICKUP, position },
        { kind: WaypointKind.DROPOFF, position: { ...position, latitudeDeg: 57.72 } },
      ],
    },
    { headers: { authorization: `Bearer ${await app.mint("backend", "test")}` } },
  );
  return trip!.tripId;
}
