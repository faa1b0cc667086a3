import { afterEach, describe, expect, it } from "vitest";
import { BimrideError } from "../../core/errors.ts";
import type { Trip } from "../../core/trip.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import type { RecordedFix, TripFinal } from "../../history/history.ts";
import { tripOf } from "../../live/kit.ts";
import type { EdgeDeps } from "../deps.ts";
import { someTripId, startTestEdge, type TestEdge, type TestEdgeOptions } from "../kit.ts";

const START_MS = 1_700_000_000_000;
const TRIP = someTripId(1);
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]();
});

async function edge(trips: Trip[] = [], options: TestEdgeOptions = {}): Promise<TestEdge> {
  const test = await startTestEdge(new Map(trips.map((trip) => [trip.tripId, trip])), options);
  open.push(test);
  return test;
}

async function call(
  test: TestEdge,
  method: string,
  path: string,
  { token, body, headers = {} }: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
) {
  const response = await fetch(`${test.url}${path}`, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.includes("json") && text ? JSON.parse(text) : undefined;
  return { status: response.status, headers: response.headers, text, json };
}

describe("GET /v1/trips/{id}/live", () => {
  it("answers 304 until the version or the freshness changes, and says when to ask again", async () => {
    const clock = new VirtualClock(START_MS);
    const test = await edge([], { clock });
    const car = await test.start(tripOf(TRIP));
    await car.move(START_MS);
    const token = await test.token("rider", "r1");
    const poll = (etag = "") =>
      call(test, "GET", `/v1/trips/${TRIP}/live`, { token, headers: { "if-none-match": etag } });

    const first = await poll();
    expect(first.status).toBe(200);
    expect(first.json.live).toMatchObject({
      trip: { tripId: TRIP },
      freshness: { freshness: "FRESHNESS_LIVE" },
    });
    const etag = first.headers.get("etag")!;
    const second = await poll(etag);
    expect([second.status, second.text]).toEqual([304, ""]);
    expect(second.headers.get("bimride-poll-after-ms")).toBe("3000");
    expect((await poll(`"other", ${etag}`)).status).toBe(304);

    clock.advanceTo(START_MS + 10_000);
    expect((await poll(etag)).json.live.freshness.freshness).toBe("FRESHNESS_DELAYED");
    await car.move(START_MS + 10_000);
    const moved = await poll(etag);
    expect(moved.json.live.version).toEqual({ generation: 1, sequence: "3" });
    expect(moved.headers.get("cache-control")).toBe("no-store");
  });

  it("treats another rider's trip exactly as one that does not exist", async () => {
    const test = await edge();
    await test.start(tripOf(TRIP));
    const token = await test.token("rider", "r2");
    const ask = (id: string) => call(test, "GET", `/v1/trips/${id}/live`, { token });
    const [other, missing, odd] = [await ask(TRIP), await ask(someTripId(9)), await ask("..%2Fx")];
    expect(other.status).toBe(404);
    expect([missing.text, odd.text]).toEqual([other.text, other.text]);
  });
});

describe("errors", () => {
  it("have one shape and their documented codes, whatever is wrong", async () => {
    const test = await edge([], { limits: { maxMessageBytes: 2_000 } });
    const token = await test.token("backend", "b");
    const expired = await test.token("backend", "b", -5_000);
    const cases: [string, string, Parameters<typeof call>[3], number, string][] = [
      ["GET", "/v1/trips", {}, 401, "TOKEN_MISSING"],
      ["GET", "/v1/trips", { token: "x" }, 401, "TOKEN_INVALID"],
      ["GET", "/v1/trips", { token: expired }, 401, "TOKEN_EXPIRED"],
      ["GET", "/nowhere", {}, 404, "NOT_FOUND"],
      ["DELETE", `/v1/trips/${TRIP}`, { token }, 404, "NOT_FOUND"],
      ["POST", "/v1/trips", { token, body: "{" }, 400, "MESSAGE_INVALID"],
      ["POST", "/v1/trips", { token, body: "[1]" }, 400, "MESSAGE_INVALID"],
      ["POST", "/v1/trips", { token, body: { nonsense: 1 } }, 400, "MESSAGE_INVALID"],
      ["POST", "/v1/trips", { token, body: { waypoints: [{ kind: 99 }] } }, 400, "FIELD_INVALID"],
      ["POST", "/v1/trips", { token, body: { waypoints: [{ kind: 1 }] } }, 400, "POSITION_INVALID"],
      ["POST", "/v1/trips", { token, body: "x".repeat(3_000) }, 413, "MESSAGE_TOO_LARGE"],
      [
        "POST",
        "/v1/trips",
        { token, body: "a", headers: { "content-type": "text/xml" } },
        400,
        "MESSAGE_INVALID",
      ],
      ["POST", "/v1/trips", { token, body: '{"__proto__":{}}' }, 400, "MESSAGE_INVALID"],
      ["POST", `/v1/trips/${TRIP}:status`, { token, body: { status: "NOPE" } }, 400, "MESSAGE_INVALID"],
      ["POST", `/v1/trips/${TRIP}:status`, { token, body: { status: 0 } }, 400, "FIELD_INVALID"],
      ["POST", `/v1/trips/${TRIP}:status`, { token, body: { tripId: someTripId(2) } }, 400, "FIELD_INVALID"],
      ["POST", "/v1/trips/x:cancel", { token, body: {} }, 404, "NOT_FOUND"],
      [
        "PATCH",
        `/v1/trips/${TRIP}`,
        { token, body: { ifVersion: "18446744073709551615" } },
        400,
        "FIELD_INVALID",
      ],
      ["GET", "/v1/trips?pageSize=201", { token }, 400, "FIELD_INVALID"],
      ["GET", "/v1/trips?pageSize=-1", { token }, 400, "FIELD_INVALID"],
      ["GET", "/v1/trips?runningOnly=maybe", { token }, 400, "FIELD_INVALID"],
      ["GET", "/v1/trips?riderId=a&riderId=b", { token }, 400, "FIELD_INVALID"],
      ["GET", "/v1/trips?riderId=%00", { token }, 400, "FIELD_INVALID"],
      ["GET", "/v1/trips?pageToken=abc", { token }, 400, "PAGE_TOKEN_INVALID"],
      ["GET", `/v1/trips/${TRIP}/track?format=exe`, { token }, 400, "FIELD_INVALID"],
      ["GET", `/v1/trips/${TRIP}/track?view=x`, { token }, 400, "FIELD_INVALID"],
      ["GET", "/v1/trips/%E0%A4%A", { token }, 400, "MESSAGE_INVALID"],
      ["GET", `/v1/trips/${"x".repeat(300)}`, { token }, 400, "MESSAGE_INVALID"],
      ["POST", "/v1/trips", { body: "{" }, 401, "TOKEN_MISSING"],
      ["GET", "/v1/live", { token }, 400, "MESSAGE_INVALID"],
    ];
    for (const [method, path, options, status, code] of cases) {
      const answer = await call(test, method, path, options);
      expect([method, path, answer.status, answer.json?.code]).toEqual([method, path, status, code]);
      expect(Object.keys(answer.json).sort()).toEqual(["code", "field", "message", "retryable"]);
    }
  });

  it("hide what went wrong inside, and log it", async () => {
    const failing = { ...unusedTrips(), getTrip: () => Promise.reject(new Error("disk on fire")) };
    const test = await edge([], { trips: failing });
    const answer = await call(test, "GET", `/v1/trips/${TRIP}`, { token: await test.token("rider", "r1") });
    expect([answer.status, answer.json.code]).toEqual([500, "INTERNAL"]);
    expect(answer.text).not.toContain("fire");
    expect(test.logs.join("")).toContain("disk on fire");
  });

  it("come as RATE_LIMITED beyond the requests per minute, but never to probes", async () => {
    const test = await edge([], {
      web: { allowedOrigins: [], mapOrigins: [], maxRequestsPerMinute: 5, strictTransport: false },
    });
    const codes: number[] = [];
    for (let i = 0; i < 7; i++) codes.push((await call(test, "GET", "/v1/trips")).status);
    expect(codes).toEqual([401, 401, 401, 401, 401, 429, 429]);
    const limited = await call(test, "GET", "/v1/trips");
    expect(limited.json).toMatchObject({ code: "RATE_LIMITED", retryable: true });
    expect((await call(test, "GET", "/healthz")).status).toBe(200);
  });
});

describe("trips", () => {
  it("are created, changed, read and listed through the use-cases, and reduced to what the caller may see", async () => {
    const calls: unknown[] = [];
    const trip = { ...tripOf(TRIP), riderIds: ["r1", "r2"] };
    const note =
      (name: string) =>
      async (principal: { subject: string }, ...rest: unknown[]): Promise<Trip> => {
        calls.push([name, principal.subject, ...rest]);
        return trip;
      };
    const trips: EdgeDeps["trips"] = {
      createTrip: note("create"),
      getTrip: note("get"),
      updateTrip: note("update"),
      setStatus: note("status"),
      cancel: note("cancel"),
      shareLocation: note("share"),
      list: async (_principal, filter, limit, after) => {
        calls.push(["list", filter, limit, after]);
        return after ? [trip] : [trip, { ...trip, tripId: someTripId(2) }];
      },
    };
    const test = await edge([], { trips });
    const token = await test.token("backend", "b");
    const waypoints = [
      { kind: "WAYPOINT_KIND_PICKUP", position: { latitudeDeg: 1, longitudeDeg: 2 } },
      { kind: "WAYPOINT_KIND_DROPOFF", position: { latitudeDeg: 3, longitudeDeg: 4 }, label: "home" },
    ];
    const made = await call(test, "POST", "/v1/trips", {
      token,
      body: { idempotencyKey: "k", riderIds: ["r1"], waypoints },
    });
    expect(made.json.trip).toMatchObject({
      tripId: TRIP,
      status: "TRIP_STATUS_ENROUTE_TO_PICKUP",
      version: "1",
    });
    const body = { status: "TRIP_STATUS_COMPLETE", ifVersion: "3" };
    await call(test, "POST", `/v1/trips/${TRIP}:status`, { token, body });
    await call(test, "POST", `/v1/trips/${TRIP}:cancel`, { token, body: { reason: "rain" } });
    await call(test, "POST", `/v1/trips/${TRIP}:shareLocation`, { token, body: { granted: true } });
    await call(test, "PATCH", `/v1/trips/${TRIP}`, { token, body: { driverId: "" } });
    const page = await call(test, "GET", "/v1/trips?runningOnly=true&pageSize=1", { token });
    expect(page.json.trips).toHaveLength(1);
    const next = `/v1/trips?runningOnly=true&pageSize=1&pageToken=${page.json.nextPageToken}`;
    expect((await call(test, "GET", next, { token })).json.nextPageToken).toBeUndefined();
    const elsewhere = next.replace("runningOnly=true", "runningOnly=false");
    expect((await call(test, "GET", elsewhere, { token })).json.code).toBe("PAGE_TOKEN_INVALID");
    expect(calls).toEqual([
      ["create", "b", expect.objectContaining({ idempotencyKey: "k", type: "exclusive", driverId: "" })],
      ["status", "b", TRIP, "COMPLETE", 3],
      ["cancel", "b", TRIP, "rain"],
      ["share", "b", TRIP, true],
      ["update", "b", TRIP, { driverId: "" }, 0],
      ["list", { runningOnly: true }, 2, ""],
      ["list", { runningOnly: true }, 2, TRIP],
    ]);

    const seen = await call(test, "GET", `/v1/trips/${TRIP}`, { token: await test.token("rider", "r1") });
    expect(seen.json.trip.riderIds).toEqual(["r1"]);
    const stranger = await call(test, "GET", `/v1/trips/${TRIP}`, { token: await test.token("rider", "r9") });
    expect(stranger.json.code).toBe("NOT_FOUND");
  });
});

describe("GET /v1/trips/{id}/track", () => {
  const fixAt = (seq: number): RecordedFix => ({
    seq,
    capturedAtMs: START_MS + 1_000 * seq,
    latDeg: 57.7,
    lonDeg: 11.9,
    accuracyM: 5,
    speedMps: Number.NaN,
    headingDeg: 90,
    altitudeM: 12.5,
    source: "gnss",
    mock: false,
    sessionId: "session-1",
    sessionEpoch: 1,
    clockOffsetMs: 250,
    receivedAtMs: START_MS + 1_000 * seq + 100,
    publishedLatDeg: 57.71,
    publishedLonDeg: 11.91,
    late: false,
    outlier: false,
    superseded: false,
  });

  /** Two drivers after each other with 25 and 10 fixes, in memory, by the rules of the port. */
  function recorded(): { history: EdgeDeps["history"]; trip: Trip } {
    const fixes = {
      d0: Array.from({ length: 25 }, (_, i) => fixAt(i)),
      d1: Array.from({ length: 10 }, (_, i) => fixAt(30 + i)),
    };
    const trip: Trip = {
      ...tripOf(TRIP),
      assignments: [
        { driverId: "d0", fromMs: START_MS, toMs: START_MS + 28_000 },
        { driverId: "d1", fromMs: START_MS + 28_000, toMs: 0 },
      ],
    };
    const history: EdgeDeps["history"] = {
      track: async ({ party, fromMs, toMs, limit, after }) =>
        (fixes[party.id as "d0"] ?? [])
          .filter((fix) => {
            const atMs = fix.capturedAtMs + fix.clockOffsetMs;
            return atMs >= fromMs && atMs <= toMs && (!after || atMs > after.atMs);
          })
          .slice(0, limit),
      final: async () => undefined,
      events: async () => [],
    };
    return { history, trip };
  }

  it("gives every fix once, page by page, across a change of driver", async () => {
    const { history, trip } = recorded();
    const test = await edge([trip], { history });
    const token = await test.token("rider", "r1");
    const seqs: number[] = [];
    let pageToken = "";
    do {
      const path = `/v1/trips/${TRIP}/track?pageSize=5&pageToken=${pageToken}`;
      const page = (await call(test, "GET", path, { token })).json;
      expect(page.points.length).toBeLessThanOrEqual(5);
      seqs.push(...page.points.map((point: { seq?: number }) => point.seq ?? 0));
      pageToken = page.nextPageToken ?? "";
    } while (pageToken);
    expect(seqs).toEqual([
      ...Array.from({ length: 25 }, (_, i) => i),
      ...Array.from({ length: 10 }, (_, i) => 30 + i),
    ]);
    const one = (await call(test, "GET", `/v1/trips/${TRIP}/track?pageSize=1`, { token })).json.points[0];
    expect(one).toMatchObject({
      party: { kind: "PARTY_KIND_DRIVER", id: "d0" },
      clockOffsetMs: "250",
      altitudeM: 12.5,
    });
    expect(one.speedMps).toBeUndefined();
  });

  it("ends for a rider of a shared car where they left it, in every form", async () => {
    const stop = (riderId: string, kind: "pickup" | "dropoff") => ({
      ...tripOf(TRIP).waypoints[0]!,
      riderId,
      kind,
    });
    const running: Trip = {
      ...recorded().trip,
      type: "shared",
      status: "ENROUTE_TO_DROPOFF",
      riderIds: ["r1", "r2"],
      waypoints: [stop("r1", "pickup"), stop("r2", "pickup"), stop("r1", "dropoff"), stop("r2", "dropoff")],
      waypointIndex: 3,
    };
    const status = (atS: number, waypointIndex: number) => ({
      ...{ tripId: TRIP, atMs: START_MS + atS * 1_000, key: `${atS}`, kind: "status" as const },
      ...{ status: "ENROUTE_TO_DROPOFF" as const, source: "detected" as const, waypointIndex },
    });
    const history: EdgeDeps["history"] = {
      ...recorded().history,
      // A leaving that was put right, and the one that held.
      events: async () => [status(5, 3), status(8, 2), status(20, 3), status(40, 4)],
    };
    const over: Trip = { ...running, status: "COMPLETE", waypointIndex: 4, endedAtMs: START_MS + 40_000 };
    for (const trip of [running, over, { ...running, waypointIndex: 2 }]) {
      const test = await edge([trip], { history });
      const seqs = async (subject: string, format = "") => {
        const token = await test.token("rider", subject);
        const { json } = await call(test, "GET", `/v1/trips/${TRIP}/track${format}`, { token });
        const list = format ? json.features.map((f: { properties: object }) => f.properties) : json.points;
        return list.map((point: { seq?: number }) => point.seq ?? 0);
      };
      const all = [...Array(25).keys(), ...Array.from({ length: 10 }, (_, i) => 30 + i)];
      expect(await seqs("r2")).toEqual(all);
      const own = trip.waypointIndex === 2 ? all : all.filter((seq) => seq < 20);
      expect(await seqs("r1")).toEqual(own);
      expect(await seqs("r1", "?format=geojson")).toEqual(own);
    }
  });

  it("is for the trip's riders, its driver and support; everybody else gets NOT_FOUND", async () => {
    const { history, trip } = recorded();
    const test = await edge([trip], { history });
    const ask = async (role: Parameters<TestEdge["token"]>[0], subject: string) =>
      (await call(test, "GET", `/v1/trips/${TRIP}/track`, { token: await test.token(role, subject) })).status;
    expect(await ask("rider", "r1")).toBe(200);
    expect(await ask("driver", "d1")).toBe(200);
    expect(await ask("support", "s")).toBe(200);
    for (const [role, subject] of [
      ["rider", "r2"],
      ["driver", "d0"],
      ["ops", "o"],
      ["backend", "b"],
      ["admin", "a"],
    ] as const) {
      expect([role, await ask(role, subject)]).toEqual([role, 404]);
    }
  });

  it("comes as GeoJSON, GPX and CSV with all points", async () => {
    const { history, trip } = recorded();
    const test = await edge([trip], { history });
    const token = await test.token("driver", "d1");
    const file = (format: string) => call(test, "GET", `/v1/trips/${TRIP}/track?format=${format}`, { token });
    const geojson = await file("geojson");
    expect(geojson.headers.get("content-type")).toBe("application/geo+json");
    expect(geojson.json.features).toHaveLength(35);
    expect(geojson.json.features[0].geometry).toEqual({ type: "Point", coordinates: [11.9, 57.7, 12.5] });
    const gpx = await file("gpx");
    expect(gpx.text.match(/<trkpt lat="57.7" lon="11.9">/g)).toHaveLength(35);
    expect(gpx.text.trimEnd()).toMatch(/<\/gpx>$/);
    const csv = (await file("csv")).text.split("\r\n");
    expect(csv).toHaveLength(37);
    expect(csv[1]!.split(",")).toHaveLength(csv[0]!.split(",").length);
    expect(csv[1]).toContain("session-1,0,1700000000000,250");
  });

  it("says NOT_SETTLED until the final record is there, then gives it with its sums, and restarts on an amendment", async () => {
    const { trip } = recorded();
    let final: TripFinal | undefined;
    const history: EdgeDeps["history"] = {
      track: async () => [],
      events: async () => [],
      final: async () => final,
    };
    const test = await edge([trip], { history });
    const token = await test.token("rider", "r1");
    const ask = (more = "") =>
      call(test, "GET", `/v1/trips/${TRIP}/track?view=final&pageSize=2${more}`, { token });
    const early = await ask();
    expect([early.status, early.json.code, early.json.retryable]).toEqual([412, "NOT_SETTLED", true]);
    const earlyFile = await call(test, "GET", `/v1/trips/${TRIP}/track?view=final&format=gpx`, { token });
    expect([earlyFile.status, earlyFile.json.code]).toEqual([412, "NOT_SETTLED"]);

    const track = [0, 1, 2].map((seq) => ({ ...fixAt(seq), party: { kind: "driver", id: "d1" } as const }));
    const phase = { status: "ENROUTE_TO_PICKUP", fromMs: 1, toMs: 2, source: "detected" } as const;
    final = {
      tripId: TRIP,
      revision: 1,
      settledAtMs: 9,
      distanceM: 1_234.5,
      approachM: 9,
      phases: [phase],
      track,
    };
    const first = (await ask()).json;
    expect(first.points).toHaveLength(2);
    expect(first.summary).toMatchObject({ distanceM: 1_234.5, revision: 1 });
    expect((await ask(`&pageToken=${first.nextPageToken}`)).json.points).toHaveLength(1);
    final = { ...final, revision: 2 };
    expect((await ask(`&pageToken=${first.nextPageToken}`)).json.code).toBe("PAGE_TOKEN_INVALID");
  });

  it("says STORE_UNAVAILABLE when the history is away", async () => {
    const { trip } = recorded();
    const away = () => Promise.reject(new BimrideError("STORE_UNAVAILABLE"));
    const test = await edge([trip], { history: { track: away, final: away, events: away } });
    const answer = await call(test, "GET", `/v1/trips/${TRIP}/track`, {
      token: await test.token("rider", "r1"),
    });
    expect([answer.status, answer.json.code, answer.headers.get("retry-after")]).toEqual([
      503,
      "STORE_UNAVAILABLE",
      "1",
    ]);
  });
});

describe("GET /v1/trips/{id}/events", () => {
  it("tells phases with their ends, by pages, and keeps drivers' ids from riders", async () => {
    const row = (atMs: number, status: Trip["status"]) =>
      ({ tripId: TRIP, atMs, key: `s${atMs}`, kind: "status", status, source: "detected" }) as const;
    const rows = [
      row(1, "ENROUTE_TO_PICKUP"),
      { tripId: TRIP, atMs: 2, key: "d", kind: "driver", driverId: "d1" } as const,
      row(3, "ARRIVED_AT_PICKUP"),
      row(4, "ENROUTE_TO_DROPOFF"),
    ];
    const history: EdgeDeps["history"] = {
      track: async () => [],
      final: async () => undefined,
      events: async (_tripId, limit, after) =>
        rows.filter((r) => !after || r.atMs > after.atMs).slice(0, limit),
    };
    const test = await edge([tripOf(TRIP)], { history });
    const ask = async (role: "rider" | "driver", more = "") =>
      (
        await call(test, "GET", `/v1/trips/${TRIP}/events${more}`, {
          token: await test.token(role, role === "rider" ? "r1" : "d1"),
        })
      ).json;
    expect((await ask("driver")).events).toHaveLength(4);
    const all = (await ask("rider")).events;
    expect(
      all.map((event: { status: { fromMs: string; toMs?: string } }) => [
        event.status.fromMs,
        event.status.toMs ?? "0",
      ]),
    ).toEqual([
      ["1", "3"],
      ["3", "4"],
      ["4", "0"],
    ]);
    const first = await ask("driver", "?pageSize=1");
    expect(first.events[0].status.toMs).toBe("3");
    expect((await ask("driver", `?pageSize=3&pageToken=${first.nextPageToken}`)).events).toHaveLength(3);
  });
});

describe("what machines ask", () => {
  it("is ready only while every check is well, and names the failing ones", async () => {
    let reason: string | undefined = "disk full";
    const readiness = [
      { name: "log", check: () => reason },
      { name: "history", check: async () => undefined },
    ];
    const test = await edge([], { readiness });
    expect(await call(test, "GET", "/readyz")).toMatchObject({
      status: 503,
      json: { ready: false, failing: [{ name: "log", reason: "disk full" }] },
    });
    reason = undefined;
    expect((await call(test, "GET", "/readyz")).status).toBe(200);
    readiness[0]!.check = () => {
      throw new Error("boom");
    };
    expect((await call(test, "GET", "/readyz")).json.failing[0].name).toBe("log");
  });

  it("sets the headers that keep pages to themselves, and answers no other origin", async () => {
    const test = await edge();
    const answer = await call(test, "GET", "/healthz", { headers: { origin: "https://evil.example" } });
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    expect(answer.headers.get("content-security-policy")).toContain("worker-src 'self'");
    expect(answer.headers.get("content-security-policy")).not.toContain("unsafe-inline");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("logs neither query nor token nor place", async () => {
    const test = await edge();
    const token = await test.token("rider", "r1");
    await (await test.start(tripOf(TRIP))).move(Date.now());
    await call(test, "GET", `/v1/trips/${TRIP}/live?secret=1`, { token });
    await expect.poll(() => test.logs.join("")).toContain("/v1/trips/:id/live");
    expect(test.logs.join("")).not.toMatch(/secret|eyJ|57\.7/);
    expect(await test.registry.metrics()).toContain('route="/v1/trips/:id/live"');
  });
});

function unusedTrips(): EdgeDeps["trips"] {
  const unused = async (): Promise<never> => {
    throw new Error("unused");
  };
  return {
    createTrip: unused,
    getTrip: unused,
    updateTrip: unused,
    setStatus: unused,
    cancel: unused,
    shareLocation: unused,
    list: unused,
  };
}
