import { once } from "node:events";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import { requestTrust } from "../demo/client-trust.ts";
import { DriverLink } from "../demo/driver-link.ts";
import { LiveService } from "../gen/bimride/tracking/v1/live_pb.ts";
import { TripService, TripType, WaypointKind } from "../gen/bimride/tracking/v1/trip_pb.ts";
import { type App, startApp } from "../internal/app/app.ts";
import { loadSettings } from "../internal/config/settings.ts";
import type { ClientTrust } from "../internal/core/tls.ts";
import { createTelemetry } from "../internal/telemetry/create-telemetry.ts";
import { selfSigned } from "./kit/self-signed.ts";
import { tempFolder } from "./kit/temp-folder.ts";

let app: App;
let trust: ClientTrust & { authority: string };
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const folder = stack.use(await tempFolder());
  const { certificate, key, ca } = await selfSigned(folder);
  trust = { authority: ca };
  const settings = loadSettings({ BIMRIDE_TLS_CERT_FILE: certificate, BIMRIDE_TLS_KEY_FILE: key }, [
    ...["--data", folder.file("data"), "--http-port", "0", "--grpc-port", "0", "--no-demo"],
  ]);
  const telemetry = createTelemetry({ role: "test", level: "silent", processMetrics: false });
  app = stack.use(await startApp(settings, { telemetry, ownKeys: true }));
  await app.ready();
});
afterAll(() => stack.disposeAsync());

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
      await expect(bad.hello()).rejects.toMatchObject({ code: 14 });
      await bad.closed;
    }
  });

  test("protocols before TLS 1.2, and plaintext, get no answer", async () => {
    for (const address of [app.httpUrl.slice("https://".length), app.grpcAddress]) {
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
});
