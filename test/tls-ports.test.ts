import { once } from "node:events";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { connectAsync } from "mqtt";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import WebSocket from "ws";
import { DriverLink } from "../bench/load/driver-link.ts";
import { requestTrust } from "../demo/client-trust.ts";
import { LiveService } from "../gen/bimride/tracking/v1/live_pb.ts";
import { TripService, TripType, WaypointKind } from "../gen/bimride/tracking/v1/trip_pb.ts";
import { type App, startApp } from "../internal/app/app.ts";
import { loadSettings } from "../internal/config/settings.ts";
import type { ClientTrust } from "../internal/core/tls.ts";
import { createTelemetry } from "../internal/telemetry/create-telemetry.ts";
import { selfSigned } from "./kit/self-signed.ts";
import { type TempFolder, tempFolder } from "./kit/temp-folder.ts";

const WAYPOINTS = [
  { kind: WaypointKind.PICKUP, position: { latitudeDeg: 57.7, longitudeDeg: 11.97 } },
  { kind: WaypointKind.DROPOFF, position: { latitudeDeg: 57.71, longitudeDeg: 11.98 } },
];

let app: App;
let trust: { authority: string };
const stack = new AsyncDisposableStack();

const newTelemetry = () => createTelemetry({ role: "test", level: "silent", processMetrics: false });

/** Starts everything with a certificate of its own. */
async function start(folder: TempFolder, more: Record<string, string> = {}, telemetry = newTelemetry()) {
  const { certificate, key, ca } = await selfSigned(folder);
  const env = { BIMRIDE_TLS_CERT_FILE: certificate, BIMRIDE_TLS_KEY_FILE: key, ...more };
  const flags = ["--data", folder.file("data"), "--http-port", "0", "--grpc-port", "0", "--mqtt-port", "0"];
  const app = await startApp(loadSettings(env, flags), { telemetry, ownKeys: true });
  await app.ready();
  return { app, ca };
}

beforeAll(async () => {
  const started = await start(stack.use(await tempFolder()), { BIMRIDE_DEMO_ENABLED: "false" });
  app = stack.use(started.app);
  trust = { authority: started.ca };
});
afterAll(() => stack.disposeAsync());

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

/** A call by HTTP/1.1. */
async function get(path: string): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  const sent = request(`${app.httpUrl}${path}`, requestTrust(trust)).end();
  const [response] = await once(sent, "response");
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

const as = async (role: "backend" | "rider", subject: string) => ({
  headers: { authorization: `Bearer ${await app.mint(role, subject)}` },
});

describe("with a certificate", () => {
  test("the address is one of https, and the HTTP port speaks HTTP/1.1 and HTTP/2", async () => {
    expect(app.httpUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(await get("/healthz")).toMatchObject({ status: 200, body: '{"ok":true}' });
    const session = connectHttp2(app.httpUrl, { ca: trust.authority });
    const stream = session.request({ ":path": "/readyz" });
    const [headers] = await once(stream, "response");
    expect([headers[":status"], session.alpnProtocol]).toEqual([200, "h2"]);
    expect(JSON.parse(await text(stream))).toMatchObject({ ready: true });
    session.close();
  });

  test("Connect and gRPC-Web work on HTTP/2 and HTTP/1.1, streams too", async () => {
    for (const httpVersion of ["1.1", "2"] as const) {
      const options = { baseUrl: app.httpUrl, httpVersion, nodeOptions: { ca: trust.authority } };
      const [driver, rider] = [`driver-${httpVersion[0]}`, `rider-${httpVersion[0]}`];
      const trips = createClient(TripService, createGrpcWebTransport(options));
      const place = (kind: WaypointKind, latitudeDeg: number) => ({
        ...{ kind, position: { latitudeDeg, longitudeDeg: 11.97 } },
      });
      const { trip } = await trips.createTrip(
        {
          ...{ idempotencyKey: driver, type: TripType.EXCLUSIVE, riderIds: [rider], driverId: driver },
          waypoints: [place(WaypointKind.PICKUP, 57.7), place(WaypointKind.DROPOFF, 57.71)],
        },
        await as("backend", "desk"),
      );
      const live = createClient(LiveService, createConnectTransport(options));
      const seen: unknown[] = [];
      const request = { targets: [{ tripId: trip!.tripId }] };
      for await (const { message } of live.watchTrips(request, await as("rider", rider))) {
        seen.push(message.case);
        if (message.case === "snapshot") break;
      }
      expect(seen).toEqual(["started", "snapshot"]);
    }
  });

  test("a WebSocket opens", async () => {
    const token = `bimride.token.${await app.mint("driver", "dana")}`;
    const socket = new WebSocket(
      `${app.httpUrl.replace("https", "wss")}/v1/ingest`,
      ["bimride.v1.json", token],
      { ca: trust.authority },
    );
    await once(socket, "open");
    socket.send(JSON.stringify({ hello: { sessionId: "session-1", deviceTimeMs: Date.now() } }));
    const [answer] = await once(socket, "message");
    expect(JSON.parse(String(answer))).toHaveProperty("welcome");
    socket.close();
    await once(socket, "close");
  });

  test("a driver's gRPC stream is acked, for who believes the authority and for nobody else", async () => {
    const token = await app.mint("driver", "dana");
    const link = (believed?: ClientTrust) =>
      new DriverLink({
        ...{ address: app.grpcAddress, token, sessionId: "session-2", now: () => Date.now() },
        ...(believed ? { trust: believed } : {}),
      });
    const good = link(trust);
    expect(await good.hello()).toHaveProperty("sessionEpoch");
    good.close();
    await good.closed;
    for (const bad of [link({ authority: undefined }), link()]) {
      await expect(bad.hello()).rejects.toThrow("CONNECTION_LOST");
      await bad.closed;
    }
  });

  test("MQTT connects, by TLS on its port and over the WebSocket", async () => {
    const password = await app.mint("driver", "dana");
    const options = {
      protocolVersion: 4,
      clientId: "session-3",
      username: "any",
      password,
      ca: trust.authority,
    } as const;
    const urls = [`mqtts://${app.mqttAddress}`, `${app.httpUrl.replace("https", "wss")}/mqtt`];
    for (const url of urls) {
      const client = await connectAsync(url, { ...options, wsOptions: { ca: trust.authority } }, false);
      await client.subscribeAsync("v1/driver/dana/down");
      await client.endAsync();
    }
  });

  test("protocols before TLS 1.2, and plaintext, get no answer", async () => {
    for (const address of [app.httpUrl.slice("https://".length), app.grpcAddress, app.mqttAddress]) {
      const [host, port] = address.split(":") as [string, string];
      const options = { host, port: Number(port), ca: trust.authority };
      const old = connect({
        ...options,
        minVersion: "TLSv1.1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT:@SECLEVEL=0",
      });
      expect((await once(old, "error"))[0]).toMatchObject({
        code: expect.stringMatching(/ALERT|PROTOCOL|RESET/),
      });
      const modern = connect({ ...options, maxVersion: "TLSv1.2", ALPNProtocols: ["h2"] });
      await once(modern, "secureConnect");
      modern.destroy();
    }
    await expect(fetch(`${app.httpUrl.replace("https", "http")}/healthz`)).rejects.toThrow();
  });

  test("browsers are told to come back by TLS only where others than this machine come", async () => {
    expect((await get("/healthz")).headers).not.toHaveProperty("strict-transport-security");
    await using folder = await tempFolder();
    const started = await start(folder, { BIMRIDE_DEMO_ENABLED: "false", BIMRIDE_HTTP_HOST: "0.0.0.0" });
    await using everywhere = started.app;
    const url = `${everywhere.httpUrl.replace("0.0.0.0", "127.0.0.1")}/healthz`;
    const [response] = await once(request(url, { ca: started.ca }).end(), "response");
    response.resume();
    expect(response.headers["strict-transport-security"]).toBe("max-age=31536000");
  });

  test("the demo's own fleet drives, whatever name the certificate has", async () => {
    await using folder = await tempFolder();
    const telemetry = newTelemetry();
    const more = { BIMRIDE_DEMO_CARS: "3", BIMRIDE_GRPC_HOST: "127.0.0.2" };
    const started = await start(folder, more, telemetry);
    await using demo = started.app;
    const accepted = async () => {
      const { values } = await telemetry.registry.getSingleMetric("bimride_ingest_fixes_total")!.get();
      return values.find(({ labels }) => labels.verdict === "ACCEPTED")!.value;
    };
    await vi.waitFor(async () => expect(await accepted()).toBeGreaterThan(0), 20_000);
    const trips = () => demo.engines.trips.list({ runningOnly: true }, 10, "");
    await vi.waitFor(async () => expect((await trips()).length).toBeGreaterThan(0), 20_000);
  });

  test("an end tells those who watch by HTTP/2 and does not wait for connections that are only open", async () => {
    await using folder = await tempFolder();
    const started = await start(folder, { BIMRIDE_DEMO_ENABLED: "false" });
    const { httpUrl, mint } = started.app;
    const idle = [connectHttp2(httpUrl, { ca: started.ca }), connectHttp2(httpUrl, { ca: started.ca })];
    for (const session of idle) await once(session, "connect");
    const halfway = connect({ ...addressOf(httpUrl), ca: started.ca, ALPNProtocols: ["http/1.1"] });
    await once(halfway, "secureConnect");
    halfway.on("error", () => {}).resume(); // read, so that its end is seen
    halfway.write("POST /v1/fixes HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n");
    const headers = { authorization: `Bearer ${await mint("rider", "rosa")}` };
    const options = { baseUrl: httpUrl, httpVersion: "2", nodeOptions: { ca: started.ca } } as const;
    const live = createClient(LiveService, createConnectTransport(options));
    const trips = createClient(TripService, createConnectTransport(options));
    const { trip } = await trips.createTrip(
      { idempotencyKey: "a-trip-to-watch", riderIds: ["rosa"], waypoints: WAYPOINTS },
      { headers: { authorization: `Bearer ${await mint("backend", "booking")}` } },
    );
    const watch = live.watchTrips({ targets: [{ tripId: trip!.tripId }] }, { headers });
    const messages = watch[Symbol.asyncIterator]();
    await messages.next();
    const closed = Promise.all([...idle, halfway].map((each) => once(each, "close")));
    const rest = expect(
      (async () => {
        while (!(await messages.next()).done);
      })(),
    ).rejects.toThrow(/DRAINING/);
    const startMs = performance.now();
    await started.app[Symbol.asyncDispose]();
    expect(performance.now() - startMs).toBeLessThan(5_000);
    await rest;
    await closed;
  });
});
