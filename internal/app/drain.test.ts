import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSettings } from "../config/settings.ts";
import { createTelemetry } from "../telemetry/create-telemetry.ts";
import { type App, startApp } from "./app.ts";

const FIRST_START_MS = 30_000;

async function withApp(work: (app: App) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "bimride-drain-"));
  try {
    const settings = loadSettings({}, [
      ...["--data", folder, "--http-port", "0", "--grpc-port", "0", "--mqtt-port", "0", "--no-demo"],
    ]);
    const telemetry = createTelemetry({ role: "drain", level: "silent", processMetrics: false });
    await using app = await startApp(settings, { telemetry, ownKeys: true });
    await app.ready();
    await work(app);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A driver on the ingest WebSocket who has said Hello. */
async function driverOn(app: App, driverId: string) {
  const token = await app.mint("driver", driverId);
  const url = `${app.httpUrl.replace("http", "ws")}/v1/ingest`;
  const socket = new WebSocket(url, ["bimride.v1.json", `bimride.token.${token}`]);
  const heard: string[] = [];
  const welcomed = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<string>();
  socket.onopen = () =>
    socket.send(JSON.stringify({ hello: { sessionId: "drain-session", deviceTimeMs: Date.now() } }));
  socket.onmessage = ({ data }) => {
    heard.push(...Object.keys(JSON.parse(String(data))));
    if (heard.includes("welcome")) welcomed.resolve();
  };
  socket.onclose = ({ code, reason }) => closed.resolve(`${code} ${reason}`);
  await welcomed.promise;
  return { heard, closed: closed.promise };
}

test(
  "drivers on WebSocket are told to reconnect before the stop cuts them off, and the node is not ready meanwhile",
  async () => {
    await withApp(async (app) => {
      const driver = await driverOn(app, "d1");
      const startedAtMs = performance.now();
      const stopped = app[Symbol.asyncDispose]();
      await expect.poll(() => driver.heard).toContain("drain");
      const ready = await fetch(`${app.httpUrl}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.text()).toContain("draining");
      expect(await driver.closed).toBe("4503 DRAINING");
      await stopped;
      expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    });
  },
  FIRST_START_MS,
);
