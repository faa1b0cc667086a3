import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { canceled, elsewhere, REGIONS, trip } from "./test-trips.ts";
import type { Trips } from "./trips.ts";

function claim(key: string, digest: string, nowMs = 1_000) {
  return { key, digest, nowMs };
}

/** How the suite gets at one engine: each is an empty store of its own. */
export type TripsHarness = {
  trips: Trips;
  /** Closes it and opens the same store again. */
  reopened(): Promise<Trips>;
  /** A process that opens the store and runs {@link putUntilKilled} on it. */
  writer(): ChildProcess;
};

/** What every engine of the trips must do. */
export function tripsContract(engine: string, open: () => Promise<TripsHarness>): void {
  describe(`trips on ${engine}`, () => {
    it("give back a trip as it was stored, also after a restart", async () => {
      const { trips, reopened } = await open();
      expect(await trips.put(trip(1))).toEqual({ stored: true });
      expect(await trips.get(trip(1).tripId)).toEqual(trip(1));
      expect(await trips.get(trip(2).tripId)).toBeUndefined();
      await using again = await reopened();
      expect(await again.get(trip(1).tripId)).toEqual(trip(1));
    });

    it("store only the version after the stored one", async () => {
      await using trips = (await open()).trips;
      const first = trip(1);
      await trips.put(first);
      expect(await trips.put(first)).toEqual({ stored: false, reason: "version" });
      expect(await trips.put({ ...first, version: 3 })).toEqual({ stored: false, reason: "version" });
      expect(await trips.put({ ...trip(2), version: 2 })).toEqual({ stored: false, reason: "version" });
      expect(await trips.put(canceled(first))).toEqual({ stored: true });
      expect((await trips.get(first.tripId))?.status).toBe("CANCELED");
    });

    it("let exactly one of many concurrent writers of a version win", async () => {
      await using trips = (await open()).trips;
      await trips.put(trip(1));
      const rivals = Array.from({ length: 20 }, (_, i) => ({ ...trip(1), version: 2, cancelReason: `${i}` }));
      const results = await Promise.all(rivals.map((rival) => trips.put(rival)));
      const winner = results.findIndex((result) => result.stored);
      expect(results.filter((result) => result.stored)).toHaveLength(1);
      expect((await trips.get(trip(1).tripId))?.cancelReason).toBe(`${winner}`);
    });

    it("never store a second running trip of a driver", async () => {
      await using trips = (await open()).trips;
      const results = await Promise.all([1, 2, 3].map((number) => trips.put(trip(number, "d1"))));
      expect(results.filter((result) => result.stored)).toHaveLength(1);
      const running = (await trips.runningOf("d1"))!;
      expect(results.filter((result) => !result.stored)).toEqual(
        Array(2).fill({ stored: false, reason: "driverBusy" }),
      );
      await trips.put(canceled(running));
      expect(await trips.runningOf("d1")).toBeUndefined();
      expect(await trips.put(trip(4, "d1"))).toEqual({ stored: true });
      expect((await trips.runningOf("d1"))?.tripId).toBe(trip(4).tripId);
    });

    it("let exactly one of several trips have a driver whom all want at once", async () => {
      await using trips = (await open()).trips;
      const numbers = [1, 2, 3, 4];
      for (const number of numbers) await trips.put(trip(number, ""));
      const wanting = numbers.map((number) => ({ ...trip(number, "d1"), version: 2 }));
      const results = await Promise.all(wanting.map((one) => trips.put(one)));
      const winner = wanting[results.findIndex((result) => result.stored)]!;
      expect(results.filter((result) => !result.stored)).toEqual(
        Array(3).fill({ stored: false, reason: "driverBusy" }),
      );
      expect(await trips.runningOf("d1")).toEqual(winner);
      for (const number of numbers)
        expect((await trips.get(trip(number).tripId))?.driverId).toBe(
          trip(number).tripId === winner.tripId ? "d1" : "",
        );
    });

    it("free the driver whom a trip leaves, and keep the one whom it keeps", async () => {
      await using trips = (await open()).trips;
      await trips.put(trip(1, "d1"));
      await trips.put(trip(2, "d2"));
      expect(await trips.put({ ...trip(1, "d2"), version: 2 })).toEqual({
        stored: false,
        reason: "driverBusy",
      });
      expect((await trips.runningOf("d1"))?.tripId).toBe(trip(1).tripId);
      expect(await trips.put({ ...trip(1, "d3"), version: 2 })).toEqual({ stored: true });
      expect(await trips.runningOf("d1")).toBeUndefined();
      expect(await trips.put(trip(3, "d1"))).toEqual({ stored: true });
      expect(await trips.put({ ...trip(1, "d3"), version: 3 })).toEqual({ stored: true });
      expect(await trips.put(trip(4, "d3"))).toEqual({ stored: false, reason: "driverBusy" });
    });

    it("let any number of trips run without a driver", async () => {
      await using trips = (await open()).trips;
      for (const number of [1, 2]) expect(await trips.put(trip(number, ""))).toEqual({ stored: true });
      expect(await trips.runningOf("")).toBeUndefined();
    });

    it("claim an idempotency key once, whatever is created under it", async () => {
      const { trips, reopened } = await open();
      expect(await trips.put(trip(1), claim("k", "abc"))).toEqual({ stored: true });
      const again = { stored: false, reason: "idempotency", tripId: trip(1).tripId, digest: "abc" };
      expect(await trips.put(trip(2, "d1"), claim("k", "abc"))).toEqual(again);
      expect(await trips.put(trip(3), claim("k", "xyz"))).toEqual(again);
      expect(await trips.get(trip(3).tripId)).toBeUndefined();
      expect(await trips.put(trip(4), claim("other", "abc"))).toEqual({ stored: true });
      await using later = await reopened();
      const dayLater = claim("k", "abc", 1_000 + 24 * 3_600_000);
      expect(await later.put(trip(5), dayLater)).toEqual(again);
    });

    it("create one trip under a key that several claim at once, and name it to the others", async () => {
      await using trips = (await open()).trips;
      const numbers = [1, 2, 3, 4];
      const results = await Promise.all(
        numbers.map((number) => trips.put(trip(number, "d1"), claim("k", "abc"))),
      );
      const winner = trip(numbers[results.findIndex((result) => result.stored)]!).tripId;
      expect(results.filter((result) => !result.stored)).toEqual(
        Array(3).fill({ stored: false, reason: "idempotency", tripId: winner, digest: "abc" }),
      );
      expect((await trips.list({}, 9, "")).map(({ tripId }) => tripId)).toEqual([winner]);
      expect(await trips.put(trip(1), claim("k", "abc"))).toMatchObject({ reason: "idempotency" });
    });

    it("do not claim a key for what was not stored", async () => {
      await using trips = (await open()).trips;
      await trips.put(trip(1, "d1"));
      expect(await trips.put(trip(2, "d1"), claim("k", "abc"))).toEqual({
        stored: false,
        reason: "driverBusy",
      });
      expect(await trips.put(trip(3), claim("k", "abc"))).toEqual({ stored: true });
    });

    it("list stored changes as pending, with the version before, until they are published, also after a restart", async () => {
      const { trips, reopened } = await open();
      await trips.put(trip(1));
      await trips.put(trip(2));
      await trips.put(canceled(trip(1)));
      await trips.put(trip(1));
      await trips.published(trip(2).tripId, 1);
      await using again = await reopened();
      expect(await again.pending(REGIONS, 10)).toEqual([
        { trip: trip(1), previous: undefined },
        { trip: canceled(trip(1)), previous: trip(1) },
      ]);
      expect(await again.pending(REGIONS, 1)).toHaveLength(1);
      await again.published(trip(1).tripId, 1);
      await again.published(trip(1).tripId, 1);
      expect(await again.pending(REGIONS, 10)).toMatchObject([{ trip: { version: 2 } }]);
      await again.published(trip(1).tripId, 2);
      expect(await again.pending(REGIONS, 10)).toEqual([]);
    });

    it("list as pending only what is of the regions asked for, however much waits in others", async () => {
      await using trips = (await open()).trips;
      const waiting = Array.from({ length: 60 }, (_, i) => elsewhere(trip(1 + i)));
      for (const one of waiting) await trips.put(one);
      await trips.put(trip(99));
      const pending = async (regions: readonly string[], limit: number) =>
        (await trips.pending(regions, limit)).map((one) => one.trip.tripId);
      expect(await pending(["se1"], 1)).toEqual([trip(99).tripId]);
      expect(await pending(["dk1"], 10)).toEqual([]);
      expect(await pending([], 10)).toEqual([]);
      await trips.published(trip(99).tripId, 1);
      expect(await pending(["se1"], 10)).toEqual([]);
      expect(await pending(["no1"], 55)).toEqual(waiting.slice(0, 55).map(({ tripId }) => tripId));
      expect(await pending(REGIONS, 100)).toHaveLength(60);
      await trips.put(trip(98));
      expect(await pending(["se1"], 10)).toEqual([trip(98).tripId]);
    });

    it("never list as pending what was refused", async () => {
      await using trips = (await open()).trips;
      await trips.put(trip(1, "d1"), claim("k", "abc"));
      await trips.put(trip(1, "d1"));
      await trips.put(trip(2, "d1"));
      await trips.put(trip(3), claim("k", "abc"));
      await Promise.all([2, 2, 2].map((version) => trips.put({ ...trip(1, "d1"), version })));
      const pending = await trips.pending(REGIONS, 10);
      expect(pending.map(({ trip: { tripId, version } }) => [tripId, version])).toEqual([
        [trip(1).tripId, 1],
        [trip(1).tripId, 2],
      ]);
    });

    it("keep what was answered, and list it as pending, when the process is killed", async () => {
      const { trips, reopened, writer } = await open();
      await trips[Symbol.asyncDispose]();
      const process = writer();
      const ended = once(process, "exit");
      const answered: string[] = [];
      for await (const line of createInterface({ input: process.stdout! })) {
        if (answered.push(line) === 100) process.kill("SIGKILL");
      }
      await ended;
      await using again = await reopened();
      const pending = (await again.pending(REGIONS, 10_000)).map(({ trip: { tripId, version } }) => ({
        tripId,
        version,
      }));
      expect(pending.map(({ tripId, version }) => `${tripId} ${version}`)).toEqual(
        expect.arrayContaining(answered),
      );
      expect(new Set(pending.map(({ tripId, version }) => `${tripId} ${version}`)).size).toBe(pending.length);
      for (const { tripId, version } of pending)
        expect((await again.get(tripId))?.version).toBeGreaterThanOrEqual(version);
    });

    it("list the newest first, page by page, by rider, driver and whether they run", async () => {
      await using trips = (await open()).trips;
      for (let number = 1; number <= 7; number++) {
        const riders = number % 2 === 0 ? ["r1", "r2"] : ["r1"];
        await trips.put(trip(number, `d${number}`, riders));
      }
      await trips.put(canceled(trip(6, "d6", ["r1", "r2"])));
      const ids = (...numbers: number[]) => numbers.map((number) => trip(number).tripId);
      const listed = async (...args: Parameters<Trips["list"]>) =>
        (await trips.list(...args)).map((found) => found.tripId);
      expect(await listed({}, 3, "")).toEqual(ids(7, 6, 5));
      expect(await listed({}, 9, trip(5).tripId)).toEqual(ids(4, 3, 2, 1));
      expect(await listed({ riderId: "r2" }, 2, "")).toEqual(ids(6, 4));
      expect(await listed({ riderId: "r2" }, 2, trip(4).tripId)).toEqual(ids(2));
      expect(await listed({ riderId: "r2", runningOnly: true }, 9, "")).toEqual(ids(4, 2));
      expect(await listed({ riderId: "r2", driverId: "d4" }, 9, "")).toEqual(ids(4));
      expect(await listed({ driverId: "d9" }, 9, "")).toEqual([]);
      expect(await listed({}, 9, trip(9).tripId)).toEqual([]);
    });

    it("list a trip for those who are on it now", async () => {
      await using trips = (await open()).trips;
      await trips.put(trip(1, "d1", ["r1"]));
      await trips.put({ ...trip(1, "d2", ["r2"]), version: 2 });
      expect(await trips.list({ riderId: "r1" }, 9, "")).toEqual([]);
      expect(await trips.list({ driverId: "d1" }, 9, "")).toEqual([]);
      expect(await trips.list({ riderId: "r2", driverId: "d2" }, 9, "")).toHaveLength(1);
    });

    it("reject with STORE_UNAVAILABLE once closed", async () => {
      const { trips } = await open();
      await trips[Symbol.asyncDispose]();
      await expect(trips.get(trip(1).tripId)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await expect(trips.put(trip(1))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    });
  });
}
