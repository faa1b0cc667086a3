import { create } from "@bufbuild/protobuf";
import { expect, test, vi } from "vitest";
import type { LocationPermission, NetworkKind } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import {
  AssignmentEndReason,
  PublishRequestSchema,
  TripActionKind,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { Trip } from "../../core/trip.ts";
import type { IngestTransport } from "./clients.ts";
import { cases, fixesMessage, goodFix, helloMessage, nth, type Rig, verdictsOf } from "./conformance-rig.ts";

/** The part of the conformance suite that only streams have. */
export function streamConformance(rig: Rig, { deviations }: IngestTransport): void {
  const { connect, open, recordsOf, storedSeqs, refusalOf } = rig;

  test("welcomes, and keeps the place of a session that reconnects", async () => {
    const { client, token, driver } = await open();
    const welcome = await nth(client, "welcome");
    expect(welcome).toMatchObject({ region: "test", clockOffsetMs: 0n });
    expect(welcome.resumeAfterSeq).toBeUndefined();
    expect(Math.abs(Number(welcome.sessionEpoch) - Date.now())).toBeLessThan(10_000);
    client.send(fixesMessage([goodFix(41)]));
    await nth(client, "ack");
    const again = connect(token);
    again.send(helloMessage("session-1"));
    const back = await nth(again, "welcome");
    expect(back).toMatchObject({ sessionEpoch: welcome.sessionEpoch, resumeAfterSeq: 41 });
    expect(back.assignment?.version).toBe(welcome.assignment?.version);
    await vi.waitFor(() => expect(client.ended).toBe(""), 20_000);
    expect(cases(client, "superseded")).toEqual([]);
    again.send(fixesMessage([goodFix(41), goodFix(42)]));
    expect(verdictsOf(await nth(again, "ack"))).toEqual({ 41: "DUPLICATE", 42: "ACCEPTED" });
    again.close();
    await vi.waitFor(async () => {
      const last = (await recordsOf(driver)).at(-1);
      expect(last).toMatchObject({ kind: "sessionOpened", closed: true, lost: true });
    }, 20_000);
    const closes = (await recordsOf(driver)).filter((record) => "closed" in record && record.closed);
    expect(closes).toHaveLength(1);
  });

  test("tells a client that said goodbye from one whose connection broke", async () => {
    const { client, driver } = await open();
    client.send(fixesMessage([goodFix(0)]));
    await nth(client, "ack");
    client.finish();
    await vi.waitFor(async () => {
      const last = (await recordsOf(driver)).at(-1);
      expect(last).toMatchObject({ kind: "sessionOpened", closed: true, lost: false });
    }, 20_000);
  });

  test.skipIf(deviations?.needsNoHello)("ends a stream that does not begin with Hello", async () => {
    const client = connect(await rig.gateway.token("driver", "driver-a"));
    client.send(fixesMessage([goodFix(0)]));
    expect(await refusalOf(client)).toBe("HELLO_EXPECTED");
  });

  test("tells the older session that a newer one took over", async () => {
    const { client, token, driver } = await open("session-old");
    const { sessionEpoch: oldEpoch } = await nth(client, "welcome");
    const newer = connect(token);
    newer.send(helloMessage("session-new"));
    const { sessionEpoch } = await nth(newer, "welcome");
    expect(sessionEpoch).toBeGreaterThan(oldEpoch);
    expect((await nth(client, "superseded")).sessionEpoch).toBe(sessionEpoch);
    expect(await refusalOf(client)).toBe("SUPERSEDED");
    const stubborn = connect(token);
    stubborn.send(helloMessage("session-old"));
    expect(await refusalOf(stubborn)).toBe("SUPERSEDED");
    newer.send(fixesMessage([goodFix(0)]));
    await nth(newer, "ack");
    expect(await storedSeqs(driver)).toEqual([0]);
  });

  test("ends the stream when another rig.gateway took a newer session in", async () => {
    const { client, driver } = await open();
    const sessionEpoch = Date.now() + 60_000;
    rig.gateway.bus.notify({
      ...{ partyKey: `driver/${driver}`, kind: "sessionOpened" },
      ...{ sessionId: "elsewhere", sessionEpoch },
    });
    expect((await nth(client, "superseded")).sessionEpoch).toBe(BigInt(sessionEpoch));
    expect(await refusalOf(client)).toBe("SUPERSEDED");
  });

  test("ends the stream when its token expires, unless a fresh one came", async () => {
    const tired = connect(await rig.gateway.token("driver", "driver-tired", 60_000));
    tired.send(helloMessage("session-1"));
    await nth(tired, "welcome");
    const fresh = connect(await rig.gateway.token("driver", "driver-fresh", 60_000));
    fresh.send(helloMessage("session-1"));
    await nth(fresh, "welcome");
    const refresh = async (subject: string) =>
      create(PublishRequestSchema, {
        message: { case: "tokenRefresh", value: { token: await rig.gateway.token("driver", subject) } },
      });
    tired.send(await refresh("driver-fresh"));
    expect((await nth(tired, "problem")).code).toBe("TOKEN_INVALID");
    fresh.send(await refresh("driver-fresh"));
    fresh.send(fixesMessage([goodFix(0)]));
    await nth(fresh, "ack");
    rig.gateway.clock.shiftMs = 90_000;
    expect(await refusalOf(tired)).toBe("TOKEN_EXPIRED");
    fresh.send(fixesMessage([goodFix(1, Date.now() + 90_000)], 2, Date.now() + 90_000));
    await nth(fresh, "ack", 2);
    rig.gateway.clock.shiftMs = 0;
  });

  test("tells the driver of the trip, in Welcome and on change", async () => {
    const driver = "driver-busy";
    rig.gateway.trips.byDriver.set(driver, tripOf(driver, 1));
    const { client } = await open("session-1", driver);
    const { assignment, wantedRate } = await nth(client, "welcome");
    expect(assignment?.trip).toMatchObject({ driverId: driver, version: 1n });
    expect(wantedRate).toMatchObject({ intervalMs: 4_000, reason: "ON_TRIP" });
    rig.gateway.trips.byDriver.delete(driver);
    const told = { partyKey: `driver/${driver}`, kind: "assignmentChanged" } as const;
    rig.gateway.bus.notify({ ...told, tripId: "test-1", tripVersion: 2 });
    const changed = await nth(client, "assignment");
    expect(changed.trip).toBeUndefined();
    expect(changed.version).toBeGreaterThan(assignment?.version ?? 0n);
    expect(await nth(client, "wantedRate")).toMatchObject({ intervalMs: 10_000, reason: "IDLE" });
  });

  test("says how a trip came to be gone, also to the driver who was away meanwhile", async () => {
    const driver = "driver-canceled";
    const trip = tripOf(driver, 1);
    const { trips, bus } = rig.gateway;
    trips.byDriver.set(driver, trip);
    const { client, token } = await open("session-1", driver);
    trips.byDriver.delete(driver);
    trips.over.set(trip.tripId, { ...trip, version: 2, status: "CANCELED", cancelReason: "rider is ill" });
    const told = { partyKey: `driver/${driver}`, kind: "assignmentChanged" } as const;
    bus.notify({ ...told, tripId: trip.tripId, tripVersion: 2 });
    const { version, ended } = await nth(client, "assignment");
    const gone = { tripId: trip.tripId, reason: AssignmentEndReason.CANCELED, cancelReason: "rider is ill" };
    expect(ended).toMatchObject(gone);
    const again = connect(token);
    again.send(helloMessage("session-1"));
    const { assignment } = await nth(again, "welcome");
    expect(assignment).toMatchObject({ version, ended: gone });
    expect(assignment?.trip).toBeUndefined();
  });

  test("names the assignment's version in every Ack", async () => {
    const { client } = await open();
    const { assignment } = await nth(client, "welcome");
    client.send(fixesMessage([goodFix(0)]));
    expect((await nth(client, "ack")).assignmentVersion).toBe(assignment?.version);
  });

  test("carries out what the driver does on the trip, and says how it went", async () => {
    const { client, driver } = await open();
    const tripId = "test-01arz3ndektsv4rrffq69g5fav";
    const send = (actionId: number, kind: TripActionKind, id = tripId, waypointIndex?: number) => {
      const value = { actionId, tripId: id, kind, waypointIndex };
      client.send(create(PublishRequestSchema, { message: { case: "tripAction", value } }));
    };
    send(1, TripActionKind.ACCEPT);
    expect(await nth(client, "actionResult")).toMatchObject({ actionId: 1, code: "" });
    send(2, TripActionKind.ARRIVE, tripId, 0);
    await nth(client, "actionResult", 2);
    const acts = rig.gateway.trips.acts.filter(({ driverId }) => driverId === driver);
    expect(acts.map(({ action, waypointIndex }) => [action, waypointIndex])).toEqual([
      ["accept", undefined],
      ["arrive", 0],
    ]);
    rig.gateway.trips.actFailure = "STORE_UNAVAILABLE";
    send(3, TripActionKind.START);
    const failed = await nth(client, "actionResult", 3);
    rig.gateway.trips.actFailure = undefined;
    expect(failed).toMatchObject({ actionId: 3, code: "STORE_UNAVAILABLE", retryable: true });
    send(4, TripActionKind.UNSPECIFIED);
    send(5, TripActionKind.COMPLETE, "../etc");
    await nth(client, "actionResult", 5);
    const codes = cases(client, "actionResult").map(({ value }) => [value.actionId, value.code]);
    expect(codes).toContainEqual([4, "FIELD_INVALID"]);
    expect(codes).toContainEqual([5, "NOT_FOUND"]);
  });

  test("answers every action, also those that are too many at a time", async () => {
    const { client } = await open();
    const { limits } = rig.gateway;
    const count = limits.maxControlBurst + 20;
    for (let actionId = 1; actionId <= count; actionId++) {
      const value = { actionId, tripId: "../etc", kind: TripActionKind.ACCEPT };
      client.send(create(PublishRequestSchema, { message: { case: "tripAction", value } }));
    }
    await nth(client, "actionResult", count);
    const results = cases(client, "actionResult").map(({ value }) => value);
    expect(new Set(results.map(({ actionId }) => actionId)).size).toBe(count);
    const limited = results.filter(({ code }) => code === "RATE_LIMITED");
    expect(limited.length).toBeGreaterThan(0);
    for (const { retryable } of limited) expect(retryable).toBe(true);
  });

  test("lets no rider act on a trip", async () => {
    const client = connect(await rig.gateway.token("rider", "rider-1"));
    client.send(helloMessage("session-1"));
    await nth(client, "welcome");
    const value = { actionId: 1, tripId: "test-01arz3ndektsv4rrffq69g5fav", kind: TripActionKind.COMPLETE };
    client.send(create(PublishRequestSchema, { message: { case: "tripAction", value } }));
    expect(await nth(client, "actionResult")).toMatchObject({ actionId: 1, code: "ROLE_FORBIDDEN" });
  });

  test("carries out what a rider says of the sharing of their place, and a driver says nothing there", async () => {
    const tripId = "test-01arz3ndektsv4rrffq69g5fav";
    const riderId = `rider-${rig.gateway.trips.sharings.length}`;
    const client = connect(await rig.gateway.token("rider", riderId));
    client.send(helloMessage("session-1"));
    expect((await nth(client, "welcome")).assignment?.trip).toBeUndefined();
    const send = (to: typeof client, actionId: number, granted: boolean, id = tripId) => {
      const value = { actionId, tripId: id, granted };
      to.send(create(PublishRequestSchema, { message: { case: "locationSharing", value } }));
    };
    send(client, 1, true);
    expect(await nth(client, "actionResult")).toMatchObject({ actionId: 1, code: "" });
    send(client, 2, false);
    expect(await nth(client, "actionResult", 2)).toMatchObject({ actionId: 2, code: "" });
    const said = rig.gateway.trips.sharings.filter((sharing) => sharing.riderId === riderId);
    expect(said.map(({ granted }) => granted)).toEqual([true, false]);
    send(client, 3, true, "../etc");
    expect(await nth(client, "actionResult", 3)).toMatchObject({ actionId: 3, code: "NOT_FOUND" });
    rig.gateway.trips.actFailure = "TRIP_ENDED";
    send(client, 4, true);
    const late = await nth(client, "actionResult", 4);
    rig.gateway.trips.actFailure = undefined;
    expect(late).toMatchObject({ actionId: 4, code: "TRIP_ENDED", retryable: false });
    const { client: driver } = await open();
    send(driver, 5, true);
    expect(await nth(driver, "actionResult")).toMatchObject({ actionId: 5, code: "ROLE_FORBIDDEN" });
  });

  test("asks for a fresh token once before the old one ends", async () => {
    const client = connect(await rig.gateway.token("driver", "driver-asked", 120_000));
    client.send(helloMessage("session-1"));
    await nth(client, "welcome");
    expect(cases(client, "tokenRefreshRequest")).toEqual([]);
    rig.gateway.clock.shiftMs = 65_000;
    const asked = await nth(client, "tokenRefreshRequest");
    expect(Math.abs(Number(asked.expiresAtMs) - Date.now() - 120_000)).toBeLessThan(30_000);
    const token = await rig.gateway.token("driver", "driver-asked", 600_000);
    client.send(create(PublishRequestSchema, { message: { case: "tokenRefresh", value: { token } } }));
    client.send(fixesMessage([goodFix(0, Date.now() + 65_000)], 1, Date.now() + 65_000));
    await nth(client, "ack");
    rig.gateway.clock.shiftMs = 130_000;
    client.send(fixesMessage([goodFix(1, Date.now() + 130_000)], 2, Date.now() + 130_000));
    await nth(client, "ack", 2);
    rig.gateway.clock.shiftMs = 0;
    expect(cases(client, "tokenRefreshRequest")).toHaveLength(1);
  });

  test("asks a rider for more while somebody watches, and counts the reasons", async () => {
    const told = () => rig.gateway.metric("bimride_ingest_wanted_rates_total", { reason: "RIDER_WATCHED" });
    const before = await told();
    const client = connect(await rig.gateway.token("rider", "rider-1"));
    client.send(helloMessage("session-1"));
    expect((await nth(client, "welcome")).wantedRate).toMatchObject({ intervalMs: 60_000, reason: "RIDER" });
    const watched = { kind: "watched", tripId: "test-1", forMs: 20_000, saidAtMs: Date.now() } as const;
    rig.gateway.bus.notify({ partyKey: "rider/rider-1", ...watched });
    expect(await nth(client, "wantedRate")).toMatchObject({ intervalMs: 5_000, reason: "RIDER_WATCHED" });
    expect((await told()) - before).toBe(1);
  });

  test("welcomes without an assignment while the trips store is away", async () => {
    rig.gateway.trips.down = true;
    const { client } = await open();
    rig.gateway.trips.down = false;
    expect((await nth(client, "welcome")).assignment).toMatchObject({ version: 0n });
  });

  test("puts each change of the device's state into the log once", async () => {
    const { client, driver } = await open();
    for (const batteryPercent of [50, 50, 49]) {
      const value = { batteryPercent, charging: false };
      client.send(create(PublishRequestSchema, { message: { case: "deviceState", value } }));
    }
    client.send(
      create(PublishRequestSchema, { message: { case: "deviceState", value: { batteryPercent: 101 } } }),
    );
    expect(await nth(client, "problem")).toMatchObject({ code: "FIELD_INVALID" });
    await vi.waitFor(async () => {
      const states = (await recordsOf(driver)).filter((record) => record.kind === "deviceState");
      expect(states.map(({ state }) => state.batteryPercent)).toEqual([50, 49]);
    }, 20_000);
  });

  test("leaves out of a device's state what it does not know, and takes the rest", async () => {
    const { client, driver } = await open();
    const unknown = { network: 99 as NetworkKind, locationPermission: 77 as LocationPermission };
    const value = { ...unknown, mockLocation: true, powerSave: false };
    client.send(create(PublishRequestSchema, { message: { case: "deviceState", value } }));
    await vi.waitFor(async () => {
      const states = (await recordsOf(driver)).filter((record) => record.kind === "deviceState");
      expect(states.map(({ state }) => state)).toEqual([{ mockLocation: true, powerSave: false }]);
    }, 20_000);
  });

  test("answers DUPLICATE only once the first copy is durable", async () => {
    const { client } = await open();
    const gate = Promise.withResolvers<void>();
    rig.gateway.log.gate = gate.promise;
    client.send(fixesMessage([goodFix(0)], 1));
    client.send(fixesMessage([goodFix(0)], 2));
    client.send(fixesMessage([], 3));
    expect((await nth(client, "problem")).batchId).toBe(3);
    expect(cases(client, "ack")).toEqual([]);
    rig.gateway.log.gate = Promise.resolve();
    gate.resolve();
    await nth(client, "ack", 2);
    const acks = cases(client, "ack").map(({ value }) => [value.batchId, verdictsOf(value)]);
    expect(acks).toContainEqual([1, { 0: "ACCEPTED" }]);
    expect(acks).toContainEqual([2, { 0: "DUPLICATE" }]);
  });
}

function tripOf(driverId: string, version: number): Trip {
  const place = { latDeg: 57.7, lonDeg: 11.9 };
  const nowMs = Date.now();
  return {
    ...{
      tripId: "test-01arz3ndektsv4rrffq69g5fav",
      region: "test",
      type: "exclusive",
      version,
      generation: 1,
    },
    ...{ status: "ENROUTE_TO_PICKUP", statusSource: "explicit", statusAtMs: nowMs, waypointIndex: 0 },
    ...{
      riderIds: ["rider-1"],
      sharingRiderIds: [],
      driverId,
      plannedPath: [place],
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    },
    waypoints: [
      { kind: "pickup", position: place, riderId: "", label: "" },
      { kind: "dropoff", position: place, riderId: "", label: "" },
    ],
    ...{ assignments: [{ driverId, fromMs: nowMs, toMs: 0 }], endedAtMs: 0, cancelReason: "" },
  };
}
