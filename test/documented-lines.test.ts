import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ServiceProcess } from "../bench/load/service-process.ts";
import { HistoryService } from "../gen/bimride/tracking/v1/history_pb.ts";
import { TripService, TripType, WaypointKind } from "../gen/bimride/tracking/v1/trip_pb.ts";
import { ENGINES_FOLDER, PROJECT } from "./kit/engines/find-program.ts";
import { linesToTry } from "./kit/fenced-blocks.ts";
import { whyNoClient } from "./kit/find-client.ts";

const LINE_TIMEOUT_MS = 30_000;
/** The driver of the lines. */
const DRIVER = "dana";
/** Where no line is. */
const ELSEWHERE = { latitudeDeg: 59.33, longitudeDeg: 18.06 };

const documents = ["README.md", "docs/API.md"].map((path) => ({
  path,
  ...linesToTry(readFileSync(join(PROJECT, path), "utf8")),
}));

/** Default ports as the lines have them, and those of the service under test. */
function aimed(script: string, service: ServiceProcess): string {
  return script
    .replaceAll("http://127.0.0.1:8080", service.httpUrl)
    .replaceAll("127.0.0.1:50051", service.grpcAddress);
}

/** Runs a line as a reader would: in a shell where the token was fetched. Rejects when it fails. */
function run(script: string, service: ServiceProcess): Promise<string> {
  const PATH = `${join(ENGINES_FOLDER, "bin")}:${process.env.PATH}`;
  const options = { cwd: PROJECT, env: { ...service.env, PATH }, timeout: LINE_TIMEOUT_MS };
  return new Promise((resolve, reject) => {
    execFile(
      "bash",
      ["-c", `set -euo pipefail\n${aimed(script, service)}`],
      options,
      (error, stdout, stderr) =>
        error ? reject(new Error(`${script}\n${stdout}${stderr}`)) : resolve(stdout),
    );
  });
}

/** The line was told that its position is durable: in the answer, or by the PUBACK that mosquitto_pub waits for. */
function expectAccepted(client: string, script: string, answer: string): void {
  if (client === "mosquitto_pub") expect(script).toMatch(/ -q 1 /);
  else expect(answer).toContain("VERDICT_CODE_ACCEPTED");
}

/** Where a line says that the car is. */
function placeIn(script: string): { latitudeDeg: number; longitudeDeg: number } {
  const degrees = (name: string) => Number(new RegExp(`"${name}": (-?[\\d.]+)`).exec(script)?.[1]);
  return { latitudeDeg: degrees("latitudeDeg"), longitudeDeg: degrees("longitudeDeg") };
}

describe("a position is sent by copying a line", { timeout: 2 * LINE_TIMEOUT_MS }, () => {
  let service: ServiceProcess;
  let tripId: string;
  const transport = () => createConnectTransport({ baseUrl: service.httpUrl, httpVersion: "1.1" });
  const as = async (role: "backend" | "support") => ({
    headers: { authorization: `Bearer ${await service.mint(role, "desk")}` },
  });

  beforeAll(async () => {
    service = await ServiceProcess.start(["--no-demo"]);
    const waypoints = [WaypointKind.PICKUP, WaypointKind.DROPOFF].map((kind) => ({
      kind,
      position: ELSEWHERE,
    }));
    const { trip } = await createClient(TripService, transport()).createTrip(
      { idempotencyKey: "lines", type: TripType.EXCLUSIVE, riderIds: ["rosa"], driverId: DRIVER, waypoints },
      await as("backend"),
    );
    tripId = trip!.tripId;
  });

  afterAll(() => service?.[Symbol.asyncDispose]());

  /** The trip's positions, in the order in which they came. */
  async function history() {
    const { points } = await createClient(HistoryService, transport()).getTrack(
      { tripId },
      await as("support"),
    );
    points.sort((a, b) => Number(a.receivedAtMs - b.receivedAtMs));
    return points.map(({ position }) => ({ ...position }));
  }

  for (const { path, token, lines } of documents) {
    for (const { client, script, line } of lines) {
      test(`${path}:${line} with ${client}`, async (context) => {
        const reason = whyNoClient(client);
        if (reason !== undefined) {
          process.stderr.write(`\nSKIPPED ${path}:${line}: ${reason}\n\n`);
          context.skip(reason);
        }
        const before = await history();
        expectAccepted(client, script, await run(`${token}${script}`, service));
        await expect.poll(history).toHaveLength(before.length + 1);
        expect((await history()).at(-1)).toMatchObject(placeIn(script));
      });
    }
  }
});

test("docs/API.md has lines for a plain HTTP client and for a gRPC client with reflection", () => {
  const clients = documents.flatMap(({ lines }) => lines.map(({ client }) => client));
  expect(clients).toEqual(expect.arrayContaining(["curl", "grpcurl"]));
});
