import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import { bearerToken } from "../auth/jwt.ts";
import type { TokenRequest } from "../auth/mint.ts";
import { userKeyOf } from "../auth/principal.ts";
import { asBimrideError, BimrideError } from "../core/errors.ts";
import { TRIP_ID_PATTERN } from "../core/ids.ts";
import { isRunning, type Trip } from "../core/trip.ts";
import type { EdgeContext } from "./context.ts";
import type { DemoDeps } from "./deps.ts";

/** Short, so that a leaked one is worth little; pages ask again before it ends. */
const TOKEN_TTL_MS = 10 * 60_000;
const MAX_LISTED_TRIPS = 100;
const LOOPBACK_ADDRESS = /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

/**
 * Tokens for the pages of demo mode: POST /demo/token, and the running trips they may be asked for, GET /demo/trips. Only
 * for pages of this very server in a browser of this very machine: remote address and Host must be loopback, and the
 * browser must say that the page is of the same origin (a Host that is a name was made to point here by somebody else).
 */
export function demoRoutes(edge: EdgeContext, demo: DemoDeps): FastifyPluginAsync {
  return async (server) => {
    server.addHook("onRequest", async (request, reply) => {
      reply.header("cache-control", "no-store");
      rejectForeign(request);
    });
    server.post("/demo/token", async (request) => {
      const asked = await askedFor(edge, request.body);
      const follows = await followed(edge, bearerToken(request.headers.authorization), asked);
      const { token, expiresAtMs } = await demo.mint({ ...asked, ...follows, ttlMs: TOKEN_TTL_MS });
      return { token, expiresAtMs };
    });
    const trips = async () => ({ trips: (await runningTrips(edge)).map(listed) });
    server.get("/demo/trips", trips);
    server.post("/demo/trips", trips);
  };
}

/** Throws ORIGIN_FORBIDDEN unless the call can only come from a page of this server on this machine. */
function rejectForeign({ headers, host, method, ip }: FastifyRequest): void {
  const { origin } = headers;
  const site = headers["sec-fetch-site"];
  const local = LOOPBACK_ADDRESS.test(ip) && LOOPBACK_HOST.test(host);
  const ownOrigin = origin === `http://${host}` || origin === `https://${host}`;
  const ownSite = site === undefined || site === "same-origin";
  // Browsers send Origin with every POST, and leave it out on a GET of the same origin.
  const readOnly = method === "GET" && origin === undefined && (site === "same-origin" || site === undefined);
  if (!local || !ownSite || !(ownOrigin || readOnly)) throw new BimrideError("ORIGIN_FORBIDDEN");
}

async function askedFor(edge: EdgeContext, body: unknown): Promise<Omit<TokenRequest, "ttlMs">> {
  const { role, tripId } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  if (role === "ops") return { role, subject: "demo-ops" };
  if (role !== "rider" && role !== "driver") {
    throw new BimrideError("FIELD_INVALID", "rider, driver or ops.", { field: "role" });
  }
  const known = typeof tripId === "string" && TRIP_ID_PATTERN.test(tripId);
  const trip = known ? await edge.tripStore.get(tripId) : undefined;
  const subject = role === "rider" ? trip?.riderIds[0] : trip?.driverId;
  if (!trip || !subject || !stillWatched(trip, edge)) throw new BimrideError("NOT_FOUND");
  return { role, subject };
}

/** A page that sends the token it has goes on in the same sign-in, as long as that token is good and of the same user. */
async function followed(
  { authenticator }: EdgeContext,
  token: string | undefined,
  asked: Pick<TokenRequest, "role" | "subject">,
): Promise<Pick<TokenRequest, "signInId">> {
  if (token === undefined) return {};
  const known = await authenticator.authenticate(token).catch((error: unknown) => {
    // One that was revoked stays out; one that ended begins a new sign-in.
    if (asBimrideError(error).code === "SESSION_REVOKED") throw error;
    return undefined;
  });
  return known && userKeyOf(known) === userKeyOf(asked) ? { signInId: known.signInId } : {};
}

/** Also just after its end: a page that watched it keeps a token as long as there is something to see. */
function stillWatched(trip: Trip, { clock, limits }: EdgeContext): boolean {
  return isRunning(trip) || trip.endedAtMs + limits.liveAfterEndMs > clock.now();
}

function runningTrips(edge: EdgeContext): Promise<Trip[]> {
  return edge.tripStore.list({ runningOnly: true }, MAX_LISTED_TRIPS, "");
}

function listed(trip: Trip): object {
  const { tripId, status, driverId, waypoints, createdAtMs } = trip;
  const pickup = waypoints[0]?.label ?? "";
  const dropoff = waypoints.at(-1)?.label ?? "";
  return { tripId, status, hasDriver: driverId !== "", pickup, dropoff, createdAtMs };
}
