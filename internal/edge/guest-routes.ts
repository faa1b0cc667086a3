import type { FastifyPluginAsync } from "fastify";
import type { TokenMint } from "../auth/mint.ts";
import { BimrideError } from "../core/errors.ts";
import type { LatLon } from "../core/geo.ts";
import { CallLimit } from "./call-limit.ts";
import type { EdgeContext } from "./context.ts";
import { cancelGuestTrips, guestTrip } from "./guest-trips.ts";
import { type Guest, type GuestRole, Guests } from "./guests.ts";
import { authenticated } from "./rest/caller.ts";

/** Short, so that a leaked one is worth little; pages ask again with their secret before it ends. */
const TOKEN_TTL_MS = 10 * 60_000;
/** Of one phone; codes and secrets have at least 128 bits, so this is for quiet more than for safety. */
const MAX_CALLS_PER_MINUTE = 30;

/**
 * How phones of the same network take part in demo mode: POST /demo/join with the code that the terminal shows, POST
 * /demo/refresh for further tokens, POST /demo/trip for a trip of one's own to watch. Unlike the tokens for pages of this
 * machine they are for anybody, so each wants something that only the right ones have.
 */
export function guestRoutes(edge: EdgeContext, mint: TokenMint, joinCode: string): FastifyPluginAsync {
  const { clock, randomBytes } = edge;
  const guests = new Guests({ joinCode, clock, randomBytes });
  const limit = new CallLimit(MAX_CALLS_PER_MINUTE, clock);
  const tokenOf = (guest: Guest, role: GuestRole) =>
    mint({ role, subject: role === "driver" ? guest.driverId : guest.riderId, ttlMs: TOKEN_TTL_MS });
  return async (server) => {
    server.addHook("onRequest", async (request, reply) => {
      reply.header("cache-control", "no-store");
      limit.count(request.ip);
    });
    server.post("/demo/join", async ({ body }) => {
      const { guest, left } = guests.join(fieldOf(body, "code"));
      if (left.length > 0) await cancelGuestTrips(edge, left);
      const { driverId } = guest;
      return { driverId, ...(await tokenOf(guest, "driver")), refresh: guests.secretOf(guest, "driver") };
    });
    server.post("/demo/refresh", async ({ body }) => {
      const { guest, role } = guests.bySecret(fieldOf(body, "refresh"));
      return { role, ...(await tokenOf(guest, role)) };
    });
    await server.register(async (inner) => {
      const callerOf = authenticated(edge, inner);
      inner.post("/demo/trip", async (request) => {
        const { role, subject } = callerOf(request);
        const guest = role === "driver" ? guests.byDriver(subject) : undefined;
        if (!guest) throw new BimrideError("ROLE_FORBIDDEN", "Only phones that joined have such a trip.");
        const { tripId } = await guestTrip(edge, guest, positionOf(request.body));
        const rider = { ...(await tokenOf(guest, "rider")), refresh: guests.secretOf(guest, "rider") };
        return { tripId, rider };
      });
    });
  };
}

function fieldOf(body: unknown, name: string): unknown {
  return typeof body === "object" && body !== null ? (body as Record<string, unknown>)[name] : undefined;
}

function positionOf(body: unknown): LatLon {
  const position = fieldOf(body, "position");
  const [latDeg, lonDeg] = [fieldOf(position, "latitudeDeg"), fieldOf(position, "longitudeDeg")];
  if (typeof latDeg !== "number" || typeof lonDeg !== "number")
    throw new BimrideError("POSITION_INVALID", undefined, { field: "position" });
  return { latDeg, lonDeg };
}
