import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import websocket from "@fastify/websocket";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { BimrideError } from "../core/errors.ts";
import type { NodeContext } from "./context.ts";
import { CODE_METADATA, FIELD_METADATA, failureOf, httpFailure, RETRYABLE_METADATA } from "./failures.ts";
import { contentSecurityPolicy } from "./page-security.ts";
import { healthRoutes } from "./rest/health.ts";
import { POLL_AFTER_HEADER } from "./rest/live.ts";
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

/** The HTTP server of a node: errors, headers, limits, WebSocket, probes and metrics, and the plugins. Not listening yet. */
export async function buildNodeServer(
  node: NodeContext,
): Promise<{ server: FastifyInstance; routes: readonly Route[] }> {
  const server = fastify({
    logger: false,
    bodyLimit: node.limits.maxMessageBytes,
    connectionTimeout: CONNECTION_IDLE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { highWaterMark: WRITE_BUFFER_BYTES },
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: false },
    frameworkErrors: (error, request, reply) => void sendFailure(node, error, request, reply),
    clientErrorHandler: answerUnparsable,
  });
  server.setErrorHandler((error, request, reply) => sendFailure(node, error, request, reply));
  server.setNotFoundHandler((request, reply) =>
    sendFailure(node, new BimrideError("NOT_FOUND"), request, reply),
  );
  const routes: Route[] = [];
  server.addHook("onRoute", ({ method, url }) => {
    for (const each of [method].flat()) routes.push({ method: each, url });
  });
  observeRequests(node, server);
  await guard(node, server);
  await server.register(websocket, {
    options: { maxPayload: node.limits.maxMessageBytes, handleProtocols: chooseSubprotocol },
  });
  await server.register(healthRoutes(node));
  for (const plugin of node.plugins) await server.register(plugin);
  return { server, routes };
}

/** Headers for pages, other origins (none unless named), and requests per address. */
async function guard({ web }: NodeContext, server: FastifyInstance): Promise<void> {
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
function observeRequests({ clock, events }: NodeContext, server: FastifyInstance): void {
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
  { events }: NodeContext,
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
