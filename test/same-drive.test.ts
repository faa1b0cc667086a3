import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readTrace } from "../bench/drive/trace.ts";
import { startApp } from "../internal/app/app.ts";
import { loadSettings } from "../internal/config/settings.ts";
import type { Fix } from "../internal/core/fix.ts";
import { VirtualClock } from "../internal/core/virtual-clock.ts";
import type { RecordedFix } from "../internal/history/history.ts";
import {
  grpcTransport,
  httpJsonTransport,
  type IngestClient,
  webSocketProtobufTransport,
} from "../internal/ingest/transports/clients.ts";
import {
  type FixInit,
  fixesMessage,
  helloMessage,
  nth,
} from "../internal/ingest/transports/conformance-rig.ts";
import type { TestGateway } from "../internal/ingest/transports/kit.ts";
import { mqttJsonTransport, mqttProtobufTransport } from "../internal/ingest/transports/mqtt-clients.ts";
import { createTelemetry } from "../internal/telemetry/create-telemetry.ts";
import { tempFolder } from "./kit/temp-folder.ts";

const DRIVE = fileURLToPath(new URL("../examples/drive.csv", import.meta.url));
const PER_BATCH = 10;
const TRANSPORTS = [
  ...[grpcTransport, webSocketProtobufTransport, mqttJsonTransport, mqttProtobufTransport],
  httpJsonTransport,
];

/** As devices send it: what is not known is left away. */
function sent(fix: Fix): FixInit {
  const { seq, capturedAtMs, latDeg, lonDeg, ...rest } = fix;
  const known = ([, value]: [string, unknown]) => typeof value === "number" && !Number.isNaN(value);
  return {
    ...{ seq, capturedAtMs: BigInt(capturedAtMs) },
    position: { latitudeDeg: latDeg, longitudeDeg: lonDeg },
    ...Object.fromEntries(Object.entries(rest).filter(known)),
  };
}

/** What the record says of the drive; session and stamps of the server are its own each time. */
function drivenIn({ sessionId: _, sessionEpoch: __, receivedAtMs: ___, ...fix }: RecordedFix) {
  return fix;
}

test("the same drive sent over each transport gives equal history", { timeout: 120_000 }, async () => {
  await using folder = await tempFolder();
  const ports = ["--http-port", "0", "--grpc-port", "0", "--mqtt-port", "0"];
  const settings = loadSettings({}, ["--data", folder.file("data"), ...ports, "--no-demo"]);
  const telemetry = createTelemetry({ role: "test", level: "silent", processMetrics: false });
  const clock = new VirtualClock(Date.now());
  const startMs = clock.now() + 1_000;
  const rows = readTrace(DRIVE, { startMs, everyS: 4, maxPauseMs: 60_000 }).rows;
  const fixes = rows.map(({ fix }) => fix);
  // A chunk of history is written when the first fix after it comes; what is left over stays open.
  const recorded = fixes.length - 1 - ((fixes.length - 1) % PER_BATCH);
  const limits = { maxFixesPerChunk: PER_BATCH };
  await using app = await startApp(settings, { telemetry, clock, limits, ownKeys: true });
  await app.ready();
  const portOf = (address: string) => Number(address.split(":").at(-1));
  const ways = {
    ...{ grpcPort: portOf(app.grpcAddress), mqttPort: portOf(app.mqttAddress) },
    httpAddress: new URL(app.httpUrl).host,
  } as TestGateway;

  const clients: IngestClient[] = [];
  for (const [index, transport] of TRANSPORTS.entries()) {
    const client = transport.connect(ways, await app.mint("driver", `driver-${index}`));
    clients.push(client);
    client.send(helloMessage("same-drive-session", undefined, clock.now()));
    if (transport.streams) await nth(client, "welcome");
  }
  for (let start = 0, batch = 1; start < fixes.length; start += PER_BATCH, batch++) {
    const some = fixes.slice(start, start + PER_BATCH);
    clock.advanceTo(some.at(-1)?.capturedAtMs ?? 0);
    for (const client of clients) client.send(fixesMessage(some.map(sent), batch, clock.now()));
    for (const client of clients) await nth(client, "ack", batch);
  }

  const history = async (driver: string) => {
    const query = { fromMs: startMs, toMs: clock.now(), limit: fixes.length + 1 };
    const track = await app.engines.history.track({ party: { kind: "driver", id: driver }, ...query });
    return track.map(drivenIn);
  };
  const [first, ...others] = TRANSPORTS.map((_, index) => `driver-${index}`);
  await expect.poll(async () => (await history(first!)).length, { timeout: 20_000 }).toBe(recorded);
  const expected = await history(first!);
  expect(expected.map(({ seq }) => seq)).toEqual(fixes.slice(0, recorded).map(({ seq }) => seq));
  for (const driver of others)
    await expect.poll(() => history(driver), { timeout: 20_000 }).toEqual(expected);
  for (const client of clients) client.close();
});
