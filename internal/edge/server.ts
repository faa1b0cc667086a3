import { existsSync } from "node:fs";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { compressionGzip } from "@connectrpc/connect-node";
import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import staticFiles from "@fastify/static";
import websocket from "@fastify/websocket";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { BimrideError } from "../core/errors.ts";
import { callGate } from "./connect/caller.ts";
import { connectRoutes } from "./connect/routes.ts";
import type { EdgeContext } from "./context.ts";
import { demoRoutes } from "./demo-tokens.ts";
import { CODE_METADATA, FIELD_METADATA, failureOf, httpFailure, RETRYABLE_METADATA } from "./failures.ts";
import { contentSecurityPolicy } from "./page-security.ts";
import { healthRoutes } from "./rest/health.ts";
import { liveRoutes, POLL_AFTER_HEADER } from "./rest/live.ts";
import { trackRoutes } from "./rest/track.ts";
import { tripRoutes } from "./rest/trips.ts";
import { liveWebSocketRoutes } from "./websocket/routes.ts";
import { chooseSubprotocol } from "./websocket/subprotocol.ts";

/** A connection on which nothing moves for so long is closed; heartbeats keep streams alive. */
const CONNECTION_IDLE_MS = 120_000;
/** A request must be in whole by then. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Bytes that may wait in this process for one slow client before its stream is held back. */
const WRITE_BUFFER_BYTES = 16 << 10;

/** Addresses whose requests are counted at a time; the longest unseen is forgotten. */
const MAX_COUNTED_ADDRESSES = 10_000;
/** Probes must always be answered, and fixes have limits of their own, per session. */
const UNCOUNTED: readonly string[] = ["/healthz", "/readyz", "/metrics", "/v1/fixes"];

/** A route of the server, by its pattern. */
export type Route = { method: string; url: string };

/** The server with all its routes, not listening yet. */
export async function buildServer(
  edge: EdgeContext,
): Promise<{ server: FastifyInstance; routes: readonly Route[] }> {
  const server = fastify({
    logger: false,
    bodyLimit: edge.limits.maxMessageBytes,
    connectionTimeout: CONNECTION_IDLE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { highWaterMark: WRITE_BUFFER_BYTES },
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: false },
    frameworkErrors: (error, request, reply) => void sendFailure(edge, error, request, reply),
    clientErrorHandler: answerUnparsable,
  });
  server.setErrorHandler((error, request, reply) => sendFailure(edge, error, request, reply));
  server.setNotFoundHandler((request, reply) =>
    sendFailure(edge, new BimrideError("NOT_FOUND"), request, reply),
  );
  const routes: Route[] = [];
  server.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) routes.push({ method: each, url });
  });
  observeRequests(edge, server);
  await guard(edge, server);
  await server.register(websocket, {
    options: { maxPayload: edge.limits.maxMessageBytes, handleProtocols: chooseSubprotocol },
  });
  await server.register(fastifyConnectPlugin, {
    routes: connectRoutes(edge),
    requestGate: callGate(edge),
    readMaxBytes: edge.limits.maxMessageBytes,
    acceptCompression: [compressionGzip],
  });
  for (const routes of [tripRoutes, liveRoutes, trackRoutes, healthRoutes, liveWebSocketRoutes]) {
    await server.register(routes(edge));
  }
  if (edge.demo) await server.register(demoRoutes(edge, edge.demo));
  for (const plugin of edge.plugins) await server.register(plugin);
  if (edge.webRoot !== undefined && existsSync(edge.webRoot)) {
    await server.register(staticFiles, { root: edge.webRoot, cacheControl: true, maxAge: 0 });
    // The page of a trip reads the trip's id from its own address.
    server.get("/trip/:id", (_request, reply) => reply.sendFile("trip.html"));
  }
  return { server, routes };
}

/** Headers for pages, other origins (none unless named), and requests per address. */
async function guard({ web }: EdgeContext, server: FastifyInstance): Promise<void> {
  server.addHook("onRequest", async ({ headers }) => {
    // What follows builds URLs from it.
    if (!URL.canParse(`http://${headers.host ?? ""}`))
      throw new BimrideError("MESSAGE_INVALID", "The Host is not one.");
  });
  await server.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: contentSecurityPolicy(web.mapOrigins) },
    hsts: false,
    referrerPolicy: { policy: "no-referrer" },
  });
  await server.register(cors, {
    origin: web.allowedOrigins.length > 0 ? [...web.allowedOrigins] : false,
    methods: ["GET", "HEAD", "POST", "PATCH"],
    exposedHeaders: ["etag", POLL_AFTER_HEADER, CODE_METADATA, FIELD_METADATA, RETRYABLE_METADATA],
    maxAge: 600,
  });
  if (web.maxRequestsPerMinute > 0) {
    await server.register(rateLimit, {
      global: false,
      max: web.maxRequestsPerMinute,
      timeWindow: 60_000,
      cache: MAX_COUNTED_ADDRESSES,
      allowList: (request) => UNCOUNTED.includes(request.routeOptions.url ?? ""),
      errorResponseBuilder: () => new BimrideError("RATE_LIMITED"),
    });
    // Before the tokens are looked at, so that guessing is limited too.
    server.addHook("onRequest", server.rateLimit());
  }
}

/** One histogram and one log line a request: pattern, status, duration; never path, query, token or place. */
function observeRequests({ clock, events }: EdgeContext, server: FastifyInstance): void {
  const starts = new WeakMap<FastifyRequest, { atMs: number; bytes: number }>();
  server.addHook("onRequest", async (request) => {
    starts.set(request, { atMs: clock.monotonic(), bytes: request.raw.socket.bytesWritten });
  });
  server.addHook("onResponse", async (request, reply) => {
    const start = starts.get(request);
    if (!start || request.ws) return;
    events.bytesSent(Math.max(0, request.raw.socket.bytesWritten - start.bytes));
    const route = request.routeOptions.url ?? "none";
    events.requestDone(route, request.method, reply.statusCode, clock.monotonic() - start.atMs);
  });
}

function sendFailure(
  { events }: EdgeContext,
  cause: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = failureOf(cause);
  events.failed(error, `${request.method} ${request.routeOptions?.url ?? "none"}`);
  const { status, body } = httpFailure(error);
  if (error.rpcCode === "unauthenticated") reply.header("www-authenticate", "Bearer");
  if (error.rpcCode === "unavailable") reply.header("retry-after", 1);
  return reply.code(status).type("application/json; charset=utf-8").send(JSON.stringify(body));
}

/** Bytes that are no HTTP. */
function answerUnparsable(error: Error & { code?: string }, socket: import("node:stream").Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, body } = httpFailure(new BimrideError("MESSAGE_INVALID", "The request is not valid HTTP."));
  const text = JSON.stringify(body);
  const head = `HTTP/1.1 ${status} Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n`;
  socket.end(`${head}content-length: ${text.length}\r\n\r\n${text}`);
}
