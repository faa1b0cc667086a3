import { expect, test } from "vitest";
import { startRedis } from "../../../test/kit/engines/redis.ts";
import type { Principal } from "../../auth/principal.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import type { TripLive } from "../../core/live.ts";
import { systemClock } from "../../core/time.ts";
import type { Trip } from "../../core/trip.ts";
import { emptyServer, startRedisHarness } from "../../latest/redis/kit.ts";
import { FULL_LIVE, flush } from "../../latest/test-data.ts";
import { MemoryBus } from "../../live/memory/memory-bus.ts";
import { BusPresence } from "../../live/presence.ts";
import { TripHub } from "../../live/trip-hub.ts";
import { someTripId } from "../kit.ts";
import { readLive } from "./read-live.ts";

const SUPPORT: Principal = {
  role: "support",
  subject: "s",
  signInId: "in-1",
  expiresAtMs: Number.MAX_SAFE_INTEGER,
};

test("a running trip is never shown without the car that Redis lost, and one booked since is shown as it is", async () => {
  await using server = await startRedis();
  await using redis = await startRedisHarness([server.address]);
  await using writer = await redis.open(systemClock, "se1");
  await using latest = await redis.open(systemClock, "se1");
  await using bus = new MemoryBus((error) => {
    throw error;
  });
  const onError = (error: unknown) => {
    throw error;
  };
  const limits = DEFAULT_LIMITS;
  await using hub = new TripHub({ bus, latest, clock: systemClock, limits, onError });
  using presence = new BusPresence({ bus, clock: systemClock, limits });
  const store = new Map<string, Trip>();
  const tripStore = { get: async (id: string) => store.get(id), list: async () => [] };
  const read = async (tripId: string) => {
    const deps = { hub, presence, latest, tripStore, clock: systemClock, limits };
    const { live } = (await readLive(deps, SUPPORT, tripId)).response;
    return { sequence: Number(live?.version?.sequence), hasCar: live?.position !== undefined };
  };
  const book = (tripId: string): Trip => {
    const trip = { ...FULL_LIVE.trip, tripId, createdAtMs: systemClock.now() };
    store.set(tripId, trip);
    return trip;
  };
  const write = (live: TripLive) => writer.update(flush({ trips: [live] }));

  const running = book(someTripId(1));
  const live = { ...FULL_LIVE, tripId: running.tripId, trip: running };
  expect(await read(running.tripId)).toEqual({ sequence: 0, hasCar: false });
  await write(live);
  expect(await read(running.tripId)).toEqual({ sequence: 7, hasCar: true });

  await emptyServer(server.address);
  const unavailable = { code: "STORE_UNAVAILABLE", retryable: true };
  await expect(read(running.tripId)).rejects.toMatchObject(unavailable);
  const booked = book(someTripId(2));
  expect(await read(booked.tripId)).toEqual({ sequence: 0, hasCar: false });
  await write({ ...live, tripId: booked.tripId, trip: booked });
  await expect(read(running.tripId)).rejects.toMatchObject(unavailable);
  await write(live);
  expect(await read(running.tripId)).toEqual({ sequence: 7, hasCar: true });
});
