import cors from "@fastify/cors";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import websocket from "@fastify/websocket";
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from "fastify";
import { BimrideError } from "../core/errors.ts";
import { bytesWrittenTo, type Connection, connectionOf } from "./connection-of.ts";
import type { NodeContext } from "./context.ts";
import { CODE_METADATA, FIELD_METADATA, failureOf, httpFailure, RETRYABLE_METADATA } from "./failures.ts";
import { contentSecurityPolicy, PERMISSIONS_POLICY } from "./page-security.ts";
import { healthRoutes } from "./rest/health.ts";
import { POLL_AFTER_HEADER } from "./rest/live.ts";
import { connectionsOf, secureServerOptions } from "./tls-server.ts";
import { chooseSubprotocol } from "./websocket/subprotocol.ts";

/** A connection on which nothing moves for so long is closed; heartbeats keep streams alive. */
const CONNECTION_IDLE_MS = 120_000;
/** A request must be in whole by then. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Bytes that may wait in this process for one slow client before its stream is held back. With TLS it is Node's own bound, 64 KiB. */
const WRITE_BUFFER_BYTES = 16 << 10;

/** How long a browser that was here by TLS comes back by nothing else, seconds: a year. */
const STRICT_TRANSPORT_S = 31_536_000;

/** Addresses whose requests are counted at a time; the longest unseen is forgotten. */
const MAX_COUNTED_ADDRESSES = 10_000;
/** Probes must always be answered, and fixes have limits of their own, per session. */
const UNCOUNTED: readonly string[] = ["/healthz", "/readyz", "/metrics", "/v1/fixes"];

/** A route of the server, by its pattern. */
export type Route = { method: string; url: string };

/** A server that does not listen yet. */
export type BuiltServer = {
  server: FastifyInstance;
  routes: readonly Route[];
  /** Cuts what is connected. */
  cut(): void;
};

/** The HTTP server of a node: errors, headers, limits, WebSocket, probes and metrics, and the plugins. Not listening yet. */
export async function buildNodeServer(node: NodeContext): Promise<BuiltServer> {
  const server = newServer(node);
  const connections = connectionsOf(server);
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
  return { server, routes, cut: connections.cut };
}

/** With TLS it is one of HTTP/2 that speaks HTTP/1.1 too, which Fastify's types tell apart and its users need not. */
function newServer(node: NodeContext): FastifyInstance {
  const options = {
    logger: false,
    bodyLimit: node.limits.maxMessageBytes,
    connectionTimeout: CONNECTION_IDLE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: false },
    frameworkErrors: (error, request, reply) => void sendFailure(node, error, request, reply),
    clientErrorHandler: answerUnparsable,
  } satisfies FastifyServerOptions;
  const { tls } = node;
  if (!tls) return fastify({ ...options, http: { highWaterMark: WRITE_BUFFER_BYTES } });
  const secure = fastify({
    ...(options as object),
    http2: true,
    http2SessionTimeout: CONNECTION_IDLE_MS,
    https: secureServerOptions(tls),
  });
  Object.assign(secure.server, { requestTimeout: REQUEST_TIMEOUT_MS });
  tls.follow(secure.server);
  return secure as unknown as FastifyInstance;
}

/** Headers for pages, other origins (none unless named), and requests per address. */
async function guard({ web }: NodeContext, server: FastifyInstance): Promise<void> {
  server.addHook("onRequest", async ({ host }) => {
    // What follows builds URLs from it.
    if (!URL.canParse(`http://${host}`)) throw new BimrideError("MESSAGE_INVALID", "The Host is not one.");
  });
  await server.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: contentSecurityPolicy(web.mapOrigins) },
    hsts: web.strictTransport ? { maxAge: STRICT_TRANSPORT_S, includeSubDomains: false } : false,
    referrerPolicy: { policy: "no-referrer" },
  });
  server.addHook("onRequest", async (_request, reply) => {
    reply.header("permissions-policy", PERMISSIONS_POLICY);
  });
  await server.register(cors, {
    origin: web.allowedOrigins.length > 0 ? [...web.allowedOrigins] : false,
    methods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
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
  const starts = new WeakMap<FastifyRequest, { atMs: number; connection: Connection }>();
  // By connection, since requests on HTTP/2 share one: each byte is counted with the answer that ends next.
  const counted = new WeakMap<Connection, number>();
  server.addHook("onRequest", async (request) => {
    starts.set(request, { atMs: clock.monotonic(), connection: connectionOf(request) });
  });
  server.addHook("onResponse", async (request, reply) => {
    const start = starts.get(request);
    if (!start || request.ws) return;
    const before = counted.get(start.connection) ?? 0;
    const bytes = bytesWrittenTo(start.connection) ?? before;
    events.bytesSent(Math.max(0, bytes - before));
    counted.set(start.connection, bytes);
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
