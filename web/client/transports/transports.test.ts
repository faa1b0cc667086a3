import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import {
  GetLiveTripResponseSchema,
  LiveService,
  type LiveTrip,
  WatchTargetSchema,
  WatchTripsRequestSchema,
  type WatchTripsResponse,
  WatchTripsResponseSchema,
} from "../../../gen/bimride/tracking/v1/live_pb.ts";
import { snapshot, version } from "../fake-transport.ts";
import { type Transport, WatchFailure } from "../transport.ts";
import { deviceClock } from "../watch-clock.ts";
import { pollingTransport } from "./polling.ts";
import { connectTransportTo, streamTransport } from "./stream.ts";
import { LIVE_SUBPROTOCOL, websocketTransport } from "./websocket.ts";

const TRIP = "gbg-00000000000000000000000000";
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** The first messages of a session; the failure, if it ended with one, as the last. */
async function take(transport: Transport, count: number): Promise<(WatchTripsResponse | WatchFailure)[]> {
  const controller = new AbortController();
  const taken: (WatchTripsResponse | WatchFailure)[] = [];
  const target = create(WatchTargetSchema, { tripId: TRIP, resumeAfter: version(3) });
  try {
    const request = { targets: [target], token: async () => "the-token", signal: controller.signal };
    for await (const message of transport.open(request)) {
      taken.push(message);
      if (taken.length === count) break;
    }
  } catch (error) {
    taken.push(error as WatchFailure);
  }
  controller.abort();
  return taken;
}

const cases = (messages: (WatchTripsResponse | WatchFailure)[]) =>
  messages.map((message) =>
    message instanceof WatchFailure ? `failure ${message.unauthenticated}` : message.message.case,
  );

describe("the stream", () => {
  it("sends targets and token, brings messages, and tells a refused token from other failures", async () => {
    let refuse = false;
    const rpc = connectNodeAdapter({
      routes: (router) =>
        router.service(LiveService, {
          async *watchTrips(request, context) {
            if (refuse) throw new ConnectError("expired", Code.Unauthenticated);
            expect(context.requestHeader.get("authorization")).toBe("Bearer the-token");
            expect(request.targets[0]?.resumeAfter?.sequence).toBe(3n);
            yield snapshot(TRIP, version(4));
          },
          refreshWatch: ({ watchId }) => ({ expiresAtMs: watchId === "w" ? 99n : 0n }),
        }),
    });
    const { url } = await serve(rpc);
    const transport = streamTransport(connectTransportTo(url));
    expect(cases(await take(transport, 9))).toEqual(["snapshot"]);
    expect(await transport.refresh!("w", "fresh", new AbortController().signal)).toBe(99);
    refuse = true;
    expect(cases(await take(transport, 9))).toEqual(["failure true"]);
  });

  it("fails where nobody listens", async () => {
    expect(cases(await take(streamTransport(connectTransportTo("http://127.0.0.1:9")), 1))).toEqual([
      "failure false",
    ]);
  });
});

describe("the WebSocket", () => {
  it("offers format and token as sub-protocols, never in the URL, and reads the close codes", async () => {
    const { server, url } = await serve((_request, response) => response.end());
    const sockets = new WebSocketServer({ server, path: "/v1/live" });
    closers.push(() => sockets.close());
    const closeWith: [number, string] = [1000, ""];
    sockets.on("connection", (socket, request) => {
      expect(request.url).toBe("/v1/live");
      expect(socket.protocol).toBe(LIVE_SUBPROTOCOL);
      expect(request.headers["sec-websocket-protocol"]).toContain("bimride.token.the-token");
      socket.on("message", (data: Buffer) => {
        expect(fromBinary(WatchTripsRequestSchema, data).targets[0]?.tripId).toBe(TRIP);
        socket.send(toBinary(WatchTripsResponseSchema, snapshot(TRIP, version(4))));
        socket.close(...closeWith);
      });
    });
    expect(cases(await take(websocketTransport(url), 9))).toEqual(["snapshot"]);
    closeWith.splice(0, 2, 4401, "TOKEN_EXPIRED");
    expect(cases(await take(websocketTransport(url), 9))).toEqual(["snapshot", "failure true"]);
    closeWith.splice(0, 2, 4503, "DRAINING");
    expect(cases(await take(websocketTransport(url), 9))).toEqual(["snapshot", "failure false"]);
  });
});

describe("polling", () => {
  it("asks as often as it is told, with the ETag, and takes a 304 for unchanged", async () => {
    const asked: { etag: string | undefined; atMs: number }[] = [];
    const live = snapshot(TRIP, version(4)).message.value as LiveTrip;
    const answer = create(GetLiveTripResponseSchema, { live, pollAfterMs: 1000 });
    const { url } = await serve((request, response) => {
      asked.push({ etag: request.headers["if-none-match"], atMs: performance.now() });
      response.setHeader("etag", '"4"');
      if (request.headers["if-none-match"] === '"4"') return void response.writeHead(304).end();
      response.end(JSON.stringify(toJson(GetLiveTripResponseSchema, answer)));
    });
    const messages = cases(await take(pollingTransport(url, deviceClock), 4));
    expect(messages).toEqual(["heartbeat", "snapshot", "heartbeat", "unchanged"]);
    expect(asked.map(({ etag }) => etag)).toEqual([undefined, '"4"']);
    expect(asked[1]!.atMs - asked[0]!.atMs).toBeGreaterThan(900);
  });

  it("tells an ended live view, a refused token and trouble apart", async () => {
    let status = 404;
    const { url } = await serve((_request, response) => {
      response.sendDate = false;
      response.writeHead(status).end(JSON.stringify({ code: "LIVE_ENDED" }));
    });
    const ended = await take(pollingTransport(url, deviceClock), 9);
    expect(ended).toMatchObject([{ message: { case: "unavailable", value: { code: "LIVE_ENDED" } } }]);
    status = 401;
    expect(cases(await take(pollingTransport(url, deviceClock), 9))).toEqual(["failure true"]);
    status = 503;
    expect(cases(await take(pollingTransport(url, deviceClock), 9))).toEqual(["failure false"]);
  });
});
