import { once } from "node:events";
import { existsSync } from "node:fs";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LiveService } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { fakeServer } from "../../test/kit/fake-server.ts";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { loadSettings } from "../config/settings.ts";
import { createTelemetry } from "../telemetry/create-telemetry.ts";
import { type App, startApp } from "./app.ts";
import type { Interfaces } from "./lan-addresses.ts";

const HERE = { latitudeDeg: 57.7, longitudeDeg: 11.97 };
/** A network that the machine is not in: who listens everywhere is reached by loopback just as well. */
const NETWORK = {
  wlan0: [{ family: "IPv4", internal: false, address: "192.168.77.5" }],
} as unknown as Interfaces;

/** Starts with --lan on free ports, without the simulated fleet but for one car. */
async function start(folder: string, env: Record<string, string> = {}, interfaces = NETWORK) {
  const flags = ["--lan", "--data", folder, "--http-port", "0", "--grpc-port", "0", "--mqtt-port", "0"];
  const given = { BIMRIDE_LAN_CA_PORT: "0", BIMRIDE_DEMO_CARS: "1", ...env };
  const telemetry = createTelemetry({ role: "test", level: "silent", processMetrics: false });
  const app = await startApp(loadSettings(given, flags), { telemetry, interfaces, ownKeys: true });
  await app.ready();
  return app;
}

function told(app: App, pattern: RegExp): string {
  return pattern.exec(app.invitation.join("\n"))?.[1] ?? "";
}

describe("with --lan", () => {
  const stack = new AsyncDisposableStack();
  let app: App;
  let ca: string;
  let code: string;
  beforeAll(async () => {
    const folder = stack.use(await tempFolder());
    app = stack.use(await start(folder.path));
    code = told(app, /#join=(.*)/);
    const port = told(app, /once: http:\/\/192\.168\.77\.5:(\d+)/);
    ca = await (await fetch(`http://127.0.0.1:${port}/ca.pem`)).text();
  });
  afterAll(() => stack.disposeAsync());

  /** Posts as a phone does: to an address of the network. */
  async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
    const host = `192.168.77.5:${new URL(app.httpUrl).port}`;
    const sent = request(`${app.httpUrl}${path}`, {
      ...{ method: "POST", ca, servername: "" },
      headers: { host, origin: `https://${host}`, "content-type": "application/json", ...headers },
    });
    sent.end(JSON.stringify(body));
    const [response] = await once(sent, "response");
    return { status: response.statusCode as number, ...JSON.parse(await text(response)) };
  }
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test("the terminal shows where, what to trust and a code to scan, and this machine has an address of its own", () => {
    const port = new URL(app.httpUrl).port;
    expect(app.httpUrl).toBe(`https://127.0.0.1:${port}`);
    expect(app.invitation).toContain(`lan   https://192.168.77.5:${port}`);
    expect(app.invitation).toContain(`https://192.168.77.5:${port}/driver.html#join=${code}`);
    expect(Buffer.from(code, "base64url").length).toBeGreaterThanOrEqual(16);
    expect(told(app, /SHA-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})/)).not.toBe("");
    expect(app.invitation.filter((line) => /^[█▀▄ ]{30,}$/.test(line)).length).toBeGreaterThan(15);
  });

  test("the plain port has the authority's certificate and a page about it, and nothing else", async () => {
    const origin = `http://127.0.0.1:${told(app, /once: http:\/\/192\.168\.77\.5:(\d+)/)}`;
    const certificate = await fetch(`${origin}/ca.pem`);
    expect(certificate.headers.get("content-type")).toBe("application/x-x509-ca-cert");
    expect(ca).toContain("BEGIN CERTIFICATE");
    const page = await (await fetch(origin)).text();
    expect(page).toContain(told(app, /SHA-256 (.*)/));
    for (const secret of [code, "PRIVATE KEY"]) expect(page + ca).not.toContain(secret);
    for (const path of ["/config.json", "/demo/join", "/healthz", "/ca-key.pem", "/../ca-key.pem"])
      expect((await fetch(`${origin}${path}`)).status).toBe(404);
    expect((await fetch(`${origin}/ca.pem`, { method: "POST" })).status).toBe(404);
  });

  test("a phone with the code drives, gets a trip of its own, and its rider watches it", async () => {
    const joined = await post("/demo/join", { code });
    expect(joined).toMatchObject({ status: 200, driverId: expect.stringMatching(/^phone-/) });
    const trip = await post("/demo/trip", { position: HERE }, bearer(joined.token));
    expect(trip.status).toBe(200);
    const [again, atOnce] = await Promise.all([
      post("/demo/trip", { position: HERE }, bearer(joined.token)),
      post("/demo/trip", { position: HERE }, bearer(joined.token)),
    ]);
    expect([again.tripId, atOnce.tripId]).toEqual([trip.tripId, trip.tripId]);

    const hello = { sessionId: "session-1", deviceTimeMs: String(Date.now()) };
    const fixes = [{ seq: 0, capturedAtMs: String(Date.now()), position: HERE }];
    const sent = await post("/v1/fixes", { hello, fixes: { fixes } }, bearer(joined.token));
    expect(sent.ack.verdicts[0].code).toBe("VERDICT_CODE_ACCEPTED");
    const live = createClient(
      LiveService,
      createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "2", nodeOptions: { ca } }),
    );
    const request = { targets: [{ tripId: trip.tripId }] };
    for await (const { message } of live.watchTrips(request, { headers: bearer(trip.rider.token) })) {
      const hasCar = (message.case === "snapshot" || message.case === "update") && message.value.position;
      if (hasCar) break; // else the test's time ends it
    }
    const { token } = await post("/demo/refresh", { refresh: joined.refresh });
    const path = `/v1/trips/${trip.tripId}:status`;
    expect((await post(path, { status: "TRIP_STATUS_ENROUTE_TO_PICKUP" }, bearer(token))).status).toBe(200);
    const rider = await post("/demo/refresh", { refresh: trip.rider.refresh });
    expect(rider).toMatchObject({ status: 200, role: "rider" });
    expect((await post(path, { status: "TRIP_STATUS_COMPLETE" }, bearer(rider.token))).code).toBe(
      "ROLE_FORBIDDEN",
    );
  });

  test("nobody gets in with another code, and tokens for pages of this machine stay on it", async () => {
    for (const wrong of ["x", code.slice(1), undefined])
      expect((await post("/demo/join", { code: wrong })).code).toBe("TOKEN_INVALID");
    expect((await post("/demo/refresh", { refresh: code })).code).toBe("TOKEN_INVALID");
    expect((await post("/demo/token", { role: "ops" })).code).toBe("ORIGIN_FORBIDDEN");
    expect((await post("/demo/trip", { position: HERE })).code).toBe("TOKEN_MISSING");
    const other = bearer(await app.mint("driver", "demo-driver-001"));
    expect((await post("/demo/trip", { position: HERE }, other)).code).toBe("ROLE_FORBIDDEN");
  });

  test("a place that is none gets no trip, and an address that asks too often gets nothing for a while", async () => {
    const { token } = await post("/demo/join", { code });
    for (const position of [undefined, { latitudeDeg: 57.7 }, { latitudeDeg: "57.7", longitudeDeg: 11 }])
      expect((await post("/demo/trip", { position }, bearer(token))).code).toBe("POSITION_INVALID");
    const beyond = await post(
      "/demo/trip",
      { position: { latitudeDeg: 91, longitudeDeg: 0 } },
      bearer(token),
    );
    expect(beyond.code).toBe("FIELD_INVALID");
    const codes: string[] = [];
    while (!codes.includes("RATE_LIMITED") && codes.length < 40)
      codes.push((await post("/demo/join", { code: "x" })).code);
    expect(codes.at(-1)).toBe("RATE_LIMITED");
    expect((await post("/demo/join", { code })).status).toBe(429);
  });
});

test("without demo mode there is TLS and pages, and no way to join", async () => {
  await using folder = await tempFolder();
  await using app = await start(folder.path, { BIMRIDE_DEMO_ENABLED: "false" });
  expect(app.invitation.join("\n")).toContain(`https://192.168.77.5:${new URL(app.httpUrl).port}/\n`);
  expect(app.invitation.join("\n")).not.toContain("join");
});

test("without a network it stays on loopback and says so", async () => {
  await using folder = await tempFolder();
  await using app = await start(folder.path, {}, {});
  expect(app.httpUrl).toMatch(/^https:\/\/127\.0\.0\.1:/);
  expect(app.invitation).toEqual([expect.stringContaining("in no network")]);
});

test("a taken port that was set by hand ends the start before anything is made", async () => {
  await using folder = await tempFolder();
  using taken = await fakeServer();
  const env = { BIMRIDE_LAN_CA_PORT: taken.address.split(":")[1]! };
  await expect(start(folder.file("data"), env, {})).rejects.toThrow(/^lan\.ca_port: port \d+ .* is taken$/);
  expect(existsSync(folder.file("data"))).toBe(false);
});

test("it is for one process that is everything", async () => {
  const settings = loadSettings({ BIMRIDE_ENGINES: "real" }, ["--lan", "--no-demo"]);
  const telemetry = createTelemetry({ role: "test", level: "silent", processMetrics: false });
  await expect(startApp(settings, { telemetry, roles: new Set(["edge"]) })).rejects.toMatchObject({
    ...{ name: "EngineError", setting: "listen.lan" },
  });
});
