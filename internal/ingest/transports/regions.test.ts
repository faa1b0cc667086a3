import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import type { TestGateway } from "./kit.ts";
import { northOf, RegionPhone, sessionIn, startTwoRegions, storedIn, tripIn } from "./region-rig.ts";

let gateway: TestGateway;
let drivers = 0;
const nextDriver = () => `driver-${++drivers}`;

beforeAll(async () => {
  gateway = await startTwoRegions({ spool: true });
});
afterAll(() => gateway[Symbol.asyncDispose]());

function assign(driver: string, region: string | undefined, version = 1): void {
  if (region) gateway.trips.byDriver.set(driver, tripIn(region, driver, version));
  else gateway.trips.byDriver.delete(driver);
  const told = { partyKey: `driver/${driver}`, kind: "assignmentChanged" } as const;
  gateway.bus.notify({ ...told, tripId: `${region}-01arz3ndektsv4rrffq69g5fav`, tripVersion: version });
}

describe("the region of a Hello", () => {
  const cases: [string, { metres?: number; lastRegion?: string }, string][] = [
    ["is where the phone is", { metres: 5_000 }, "north"],
    ["is where it was, as long as it is near the border", { metres: 1_900, lastRegion: "south" }, "south"],
    ["is where it is when it is well across", { metres: 2_100, lastRegion: "south" }, "north"],
    ["is where it was when it does not say where it is", { lastRegion: "north" }, "north"],
    ["is the gateway's own when it says nothing", {}, "south"],
    ["is not one that does not exist", { lastRegion: "atlantis" }, "south"],
    ["is by the place when it was nowhere known", { metres: 10, lastRegion: "atlantis" }, "north"],
  ];
  test.each(cases)("%s", async (_name, { metres, lastRegion = "" }, region) => {
    const driver = nextDriver();
    const phone = new RegionPhone(gateway, driver);
    const position = metres === undefined ? undefined : northOf(metres);
    expect((await phone.hello({ lastRegion, position })).region).toBe(region);
    await phone.drive(metres ?? (region === "north" ? 5_000 : -5_000));
    expect(await storedIn(gateway, region, driver)).toEqual([0]);
    expect(phone.moves).toEqual([]);
  });

  test("is that of the driver's trip, wherever the phone is and says that it was", async () => {
    const driver = nextDriver();
    assign(driver, "north");
    const phone = new RegionPhone(gateway, driver);
    const welcome = await phone.hello({ position: northOf(-9_000), lastRegion: "south" });
    expect(welcome).toMatchObject({ region: "north", assignment: { trip: { region: "north" } } });
    await phone.drive(-9_000);
    expect(await storedIn(gateway, "north", driver)).toEqual([0]);
    expect(phone.moves).toEqual([]);
  });

  test("with a place that is none counts as one without", async () => {
    const phone = new RegionPhone(gateway, nextDriver());
    const position = { latDeg: Number.NaN, lonDeg: 1e9 };
    expect((await phone.hello({ position })).region).toBe("south");
  });
});

describe("a rider", () => {
  const riderOn = (region: string, riderId: string, version = 1) => {
    const trip = { ...tripIn(region, `driver-of-${riderId}`, version), riderIds: [riderId] };
    gateway.trips.byDriver.set(trip.driverId, trip);
    const told = { partyKey: `rider/${riderId}`, kind: "assignmentChanged" } as const;
    gateway.bus.notify({ ...told, tripId: trip.tripId, tripVersion: version });
  };

  test("belongs to the region of their trip, from Hello on, and is told nothing to do", async () => {
    riderOn("north", "rider-early");
    const phone = new RegionPhone(gateway, "rider-early", "session-1", 0, "rider");
    const welcome = await phone.hello({ position: northOf(-9_000), lastRegion: "south" });
    expect(welcome).toMatchObject({ region: "north", assignment: { trip: undefined } });
    await phone.drive(-9_000);
    expect(await storedIn(gateway, "north", "rider-early")).toEqual([0]);
  });

  test("is moved there when the trip comes later, so that their place meets the trip", async () => {
    const phone = new RegionPhone(gateway, "rider-late", "session-1", 0, "rider");
    expect((await phone.hello({ position: northOf(-9_000) })).region).toBe("south");
    await phone.drive(-9_000);
    riderOn("north", "rider-late");
    await phone.nth("move");
    expect(phone.moves).toEqual(["north"]);
    await phone.drive(-9_000);
    expect(await storedIn(gateway, "south", "rider-late")).toEqual([0]);
    expect(await storedIn(gateway, "north", "rider-late")).toEqual([1]);
    expect(phone.all("assignment")).toEqual([]);
  });
});

describe("a car without a trip", () => {
  test("is moved when it is well across the border; its session goes on there under the same epoch", async () => {
    const driver = nextDriver();
    const phone = new RegionPhone(gateway, driver);
    const deviceState = { batteryPercent: 42 };
    const welcome = await phone.hello({ position: northOf(-500), deviceState });
    for (const metres of [-500, 500, 1_500, 1_990]) expect(await phone.drive(metres)).toBe("ACCEPTED");
    expect(phone.moves).toEqual([]);
    expect(await phone.drive(2_010)).toBe("ACCEPTED");
    expect(phone.moves).toEqual(["north"]);
    const again = await phone.hello({ lastRegion: "north" });
    expect(again).toMatchObject({ region: "north", sessionEpoch: welcome.sessionEpoch, resumeAfterSeq: 4 });
    await phone.drive(2_500);
    expect(phone.moves).toEqual(["north"]);
    expect(await storedIn(gateway, "south", driver)).toEqual([0, 1, 2, 3]);
    expect(await storedIn(gateway, "north", driver)).toEqual([4, 5]);
    expect(await sessionIn(gateway, "south", driver)).toEqual(["opened", "battery 42", "closed"]);
    expect(await sessionIn(gateway, "north", driver)).toEqual(["opened", "battery 42", "opened"]);
    expect(
      await gateway.metric("bimride_ingest_sessions_moved_total", { from: "south", to: "north" }),
    ).toBeGreaterThan(0);
  });

  test("goes on in the new region also when its app does not know Move, and is told once", async () => {
    const driver = nextDriver();
    const phone = new RegionPhone(gateway, driver);
    await phone.hello({ position: northOf(-500) });
    for (const metres of [-500, 3_000, 4_000, 3_000]) await phone.drive(metres);
    expect(phone.moves).toEqual(["north"]);
    expect(await storedIn(gateway, "north", driver)).toEqual([1, 2, 3]);
    // The very Hello that it began with, on the same stream: no reason to go back.
    expect((await phone.hello({ position: northOf(-500) })).region).toBe("north");
    await phone.drive(3_100);
    expect(phone.moves).toEqual(["north"]);
  });

  test("that reconnects across the border is where it is, and what it sends again is not stored again", async () => {
    const driver = nextDriver();
    const phone = new RegionPhone(gateway, driver);
    await phone.hello({ position: northOf(-500) });
    expect(await phone.drive(-500)).toBe("ACCEPTED");
    phone.close();
    const again = new RegionPhone(gateway, driver);
    const { region, resumeAfterSeq } = await again.hello({ position: northOf(4_000), lastRegion: "south" });
    expect({ region, resumeAfterSeq }).toEqual({ region: "north", resumeAfterSeq: 0 });
    expect(await again.drive(-500)).toBe("DUPLICATE");
    expect(await again.drive(4_000)).toBe("ACCEPTED");
    expect(await storedIn(gateway, "south", driver)).toEqual([0]);
    expect(await storedIn(gateway, "north", driver)).toEqual([1]);
  });

  test("is not moved by a backlog, nor by a fix that is late, vague or wrong", async () => {
    const phone = new RegionPhone(gateway, nextDriver());
    await phone.hello({ position: northOf(-500) });
    const now = Date.now();
    await phone.drive(-500, { capturedAtMs: now });
    await phone.drive(9_000, { capturedAtMs: now - 60_000 });
    await phone.drive(9_000, { capturedAtMs: now - DEFAULT_LIMITS.lateAfterMs - 5_000 });
    await phone.drive(9_000, { accuracyM: 2_500 });
    await phone.drive(9_000, { capturedAtMs: now + 3_600_000 });
    await phone.drive(9_000, { latDeg: 91 });
    await phone.drive(0, { latDeg: 0, lonDeg: 0 });
    expect(phone.moves).toEqual([]);
    await phone.drive(9_000);
    expect(phone.moves).toEqual(["north"]);
  });

  test("is not moved while it is not known whether it has a trip, and once it is, to where that is", async () => {
    const driver = nextDriver();
    const phone = new RegionPhone(gateway, driver);
    gateway.trips.down = true;
    await phone.hello({ position: northOf(-500) });
    await phone.drive(9_000);
    expect(phone.moves).toEqual([]);
    gateway.trips.down = false;
    assign(driver, undefined);
    await phone.nth("assignment");
    await phone.drive(9_000);
    expect(phone.moves).toEqual(["north"]);
  });

  test("that goes along the border is not moved to and fro, however it weaves", async () => {
    const { regionHysteresisM } = DEFAULT_LIMITS;
    const weaving = fc.array(fc.integer({ min: -6_000, max: 6_000 }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(weaving, async (path) => {
        const driver = nextDriver();
        const phone = new RegionPhone(gateway, driver);
        await phone.hello({ position: northOf(path[0]!) });
        let here = path[0]! >= 0 ? "north" : "south";
        const expected: string[] = [];
        for (const metres of path) {
          await phone.drive(metres);
          const outsideM = here === "north" ? -metres : metres;
          if (outsideM <= regionHysteresisM) continue;
          here = here === "north" ? "south" : "north";
          expected.push(here);
        }
        expect(phone.moves).toEqual(expected);
        // Between two moves lies the whole breadth of the border: who stays within it is never moved.
        if (path.every((metres) => Math.abs(metres) <= regionHysteresisM)) expect(expected).toEqual([]);
        phone.close();
      }),
      { numRuns: 25 },
    );
  });
});

describe("a driver on a trip", () => {
  test("stays in the trip's region however far it goes, and is moved with the first fix after it", async () => {
    const driver = nextDriver();
    const phone = new RegionPhone(gateway, driver);
    assign(driver, "south");
    await phone.hello({ position: northOf(-500) });
    for (const metres of [-500, 5_000, 30_000]) await phone.drive(metres);
    expect(phone.moves).toEqual([]);
    assign(driver, undefined);
    expect((await phone.nth("assignment")).trip).toBeUndefined();
    await phone.drive(30_000);
    expect(phone.moves).toEqual(["north"]);
    expect(await storedIn(gateway, "south", driver)).toEqual([0, 1, 2]);
    expect(await storedIn(gateway, "north", driver)).toEqual([3]);
  });

  test("of another region is moved first and told of the trip then; the way to the pickup is in the trip's region", async () => {
    const driver = nextDriver();
    const phone = new RegionPhone(gateway, driver);
    await phone.hello({ position: northOf(-9_000) });
    await phone.drive(-9_000);
    assign(driver, "north");
    await phone.nth("assignment");
    const kinds = phone.answers.map(({ kind }) => kind).filter((kind) => kind !== "ack");
    expect(kinds).toEqual(["welcome", "move", "assignment", "wantedRate"]);
    expect(phone.moves).toEqual(["north"]);
    // Before the client says Hello again, and after it, still far south of the border.
    await phone.drive(-8_000);
    expect((await phone.hello({ position: northOf(-8_000), lastRegion: "north" })).region).toBe("north");
    await phone.drive(-7_000);
    expect(phone.moves).toEqual(["north"]);
    expect(await storedIn(gateway, "south", driver)).toEqual([0]);
    expect(await storedIn(gateway, "north", driver)).toEqual([1, 2]);
    // On to a trip of the region that it came from.
    assign(driver, "south", 2);
    await phone.nth("assignment", 2);
    expect(phone.moves).toEqual(["north", "south"]);
  });

  test("of a region that this gateway does not know yet stays where it is", async () => {
    const driver = nextDriver();
    const phone = new RegionPhone(gateway, driver);
    await phone.hello({ position: northOf(-500) });
    assign(driver, "atlantis");
    await phone.nth("assignment");
    expect(await phone.drive(-400)).toBe("ACCEPTED");
    expect(phone.moves).toEqual([]);
  });
});

test("a newer session takes over from one of another region", async () => {
  const driver = nextDriver();
  const older = new RegionPhone(gateway, driver, "session-old");
  await older.hello({ position: northOf(-5_000) });
  const newer = new RegionPhone(gateway, driver, "session-new");
  const { region, sessionEpoch } = await newer.hello({ position: northOf(5_000) });
  expect(region).toBe("north");
  expect(older.all("superseded")).toMatchObject([{ sessionEpoch }]);
  expect(older.ended).toBe("SUPERSEDED");
});

test("a region whose log is away buffers its own fixes and no other's; what moved on is told when it drains", async () => {
  const driver = nextDriver();
  const phone = new RegionPhone(gateway, driver);
  await phone.hello({ position: northOf(-5_000) });
  const south = gateway.logs.get("south")!;
  south.failure = "LOG_UNAVAILABLE";
  expect(await phone.drive(-5_000)).toBe("BUFFERED");
  const other = new RegionPhone(gateway, nextDriver());
  await other.hello({ position: northOf(5_000) });
  expect(await other.drive(5_000)).toBe("ACCEPTED");
  // Across the border its log works; what lies in the other's spool is told once that is drained.
  expect(await phone.drive(5_000)).toBe("ACCEPTED");
  expect(phone.moves).toEqual(["north"]);
  south.failure = undefined;
  const settled = () => phone.all("ack").find(({ batchId }) => batchId === 0);
  await vi.waitFor(() => expect(settled()?.verdicts).toMatchObject([{ seq: 0, code: "ACCEPTED" }]), 20_000);
  expect(await storedIn(gateway, "south", driver)).toEqual([0]);
  expect(await storedIn(gateway, "north", driver)).toEqual([1]);
});
