import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Car,
  CarSchema,
  type WatchViewportRequest,
  type WatchViewportResponse,
  WatchViewportResponseSchema,
} from "../../../gen/bimride/tracking/v1/fleet_pb.ts";
import type { Principal } from "../../auth/principal.ts";
import { BimrideError } from "../../core/errors.ts";
import { parsePartyKey } from "../../core/fix.ts";
import { freshnessOf } from "../../core/freshness.ts";
import { type Rect, toE7 } from "../../core/geo.ts";
import type { Limits } from "../../core/limits.ts";
import { sleep } from "../../core/time.ts";
import type { LatestParty } from "../../latest/latest.ts";
import type { EdgeDeps } from "../deps.ts";
import type { EdgeEvents } from "../events.ts";
import type { WatchRegistry } from "../live/watch-registry.ts";
import { freshnessLevel } from "../wire/live-messages.ts";
import { rectOf } from "./viewport.ts";

export type WatchViewportDeps = Pick<EdgeDeps, "latest" | "clock" | "limits"> & {
  events: EdgeEvents;
  watches: WatchRegistry;
};

const STANDARD_CARS = 1_000;

/** What a viewer was told of a car, to tell whether there is news. */
type Told = { capturedAtMs: number; tripId: string; freshness: number };

/**
 * All cars of a rectangle, then once a period what came, changed and went; every 15 s a message in any case. A slow
 * viewer skips periods. Ends when the signal aborts.
 * @throws ROLE_FORBIDDEN, VIEWPORT_INVALID, FIELD_INVALID, WATCH_TOO_MANY, TOKEN_EXPIRED, SESSION_REVOKED, DRAINING
 */
export async function* watchViewport(
  deps: WatchViewportDeps,
  principal: Principal,
  request: WatchViewportRequest,
  signal: AbortSignal,
): AsyncGenerator<WatchViewportResponse, void, undefined> {
  const { clock, limits, events } = deps;
  if (principal.role !== "ops" && principal.role !== "support") throw new BimrideError("ROLE_FORBIDDEN");
  const rect = rectOf(request.viewport);
  const maxCars = maxCarsOf(request.maxCars, limits);
  using watch = deps.watches.open(principal, "viewport", "connect");
  const ended = new AbortController();
  watch.onChange = () => ended.abort();
  const either = AbortSignal.any([signal, ended.signal]);

  const told = new Map<string, Told>();
  let sentAtMs = -Infinity;
  for (let snapshot = true; !signal.aborted; ) {
    if (watch.endedBy) throw watch.endedBy;
    if (clock.now() >= watch.expiresAtMs) throw new BimrideError("TOKEN_EXPIRED");
    const news = await look(deps, rect, maxCars, told);
    const quiet = news.cars.length === 0 && news.goneDriverIds.length === 0;
    if (snapshot || !quiet || clock.monotonic() - sentAtMs >= limits.heartbeatMs) {
      sentAtMs = clock.monotonic();
      events.messageSent("viewport");
      yield create(WatchViewportResponseSchema, {
        ...news,
        snapshot,
        serverTimeMs: BigInt(Math.round(clock.now())),
      });
      snapshot = false;
    }
    await sleep(clock, limits.viewportPeriodMs, either);
  }
}

function maxCarsOf(asked: number, limits: Limits): number {
  if (asked > limits.maxCarsPerViewport) {
    throw new BimrideError("FIELD_INVALID", `At most ${limits.maxCarsPerViewport} cars.`, {
      field: "max_cars",
    });
  }
  return asked === 0 ? STANDARD_CARS : asked;
}

/** What differs from what was told; notes it as told. Riders among the parties are left out. */
async function look(
  { latest, clock, limits }: WatchViewportDeps,
  rect: Rect,
  maxCars: number,
  told: Map<string, Told>,
): Promise<{ cars: Car[]; goneDriverIds: string[]; truncated: boolean }> {
  const { parties, truncated } = await latest.within(rect, 2 * maxCars);
  const drivers = new Map<string, LatestParty>();
  for (const party of parties) {
    const { kind, id } = parsePartyKey(party.partyKey);
    if (kind === "driver") drivers.set(id, party);
  }
  const shown = choose(drivers, told, maxCars);
  const goneDriverIds = [...told.keys()].filter((id) => !shown.has(id));
  for (const id of goneDriverIds) told.delete(id);

  const cars: Car[] = [];
  const nowMs = clock.now();
  for (const [id, party] of shown) {
    const { capturedAtMs, tripId } = party;
    const judged = freshnessOf({ nowMs, hasDriver: true, position: party, device: undefined }, limits);
    const freshness = freshnessLevel(judged.freshness);
    const before = told.get(id);
    if (before?.capturedAtMs === capturedAtMs && before.tripId === tripId && before.freshness === freshness)
      continue;
    told.set(id, { capturedAtMs, tripId, freshness });
    cars.push(carMessage(id, party, freshness));
  }
  return { cars, goneDriverIds, truncated: truncated || drivers.size > maxCars };
}

/** At most `maxCars` of the drivers, those already shown first, so that a full map does not flicker. */
function choose(
  drivers: ReadonlyMap<string, LatestParty>,
  told: ReadonlyMap<string, Told>,
  maxCars: number,
): ReadonlyMap<string, LatestParty> {
  if (drivers.size <= maxCars) return drivers;
  const known = [...drivers].filter(([id]) => told.has(id));
  const others = [...drivers].filter(([id]) => !told.has(id));
  return new Map([...known, ...others].slice(0, maxCars));
}

function carMessage(driverId: string, party: LatestParty, freshness: Car["freshness"]): Car {
  const init: MessageInitShape<typeof CarSchema> = {
    driverId,
    latitudeE7: toE7(party.latDeg),
    longitudeE7: toE7(party.lonDeg),
    capturedAtMs: BigInt(Math.round(party.capturedAtMs)),
    tripId: party.tripId,
    freshness,
  };
  const car = create(CarSchema, init);
  if (!Number.isNaN(party.headingDeg)) car.headingDeg = Math.round(party.headingDeg) % 360;
  return car;
}
