import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import { FleetService, type WatchViewportResponse } from "../../../gen/bimride/tracking/v1/fleet_pb.ts";
import { Freshness } from "../../../gen/bimride/tracking/v1/live_pb.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import type { LatestParty } from "../../latest/latest.ts";
import { startTestEdge, type TestEdge } from "../kit.ts";

const START_MS = 1_700_000_000_000;
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]();
});

const CITY = {
  southWest: { latitudeDeg: 57, longitudeDeg: 11 },
  northEast: { latitudeDeg: 58, longitudeDeg: 12 },
};

function party(id: string, seq: number, latDeg = 57.7, kind = "driver"): LatestParty {
  const capturedAtMs = START_MS + seq * 1_000;
  const place = {
    latDeg,
    lonDeg: 11.9,
    headingDeg: 45,
    speedMps: 3,
    capturedAtMs,
    receivedAtMs: capturedAtMs,
  };
  return { partyKey: `${kind}/${id}`, sessionEpoch: 1, seq, ...place, tripId: "" };
}

async function start() {
  const clock = new VirtualClock(START_MS);
  const test = await startTestEdge(new Map(), { clock });
  open.push(test);
  const put = (...parties: LatestParty[]) =>
    test.latest.update({ partition: 0, partitionEpoch: 1, parties, trips: [], removed: [] });
  return { clock, test, put };
}

function watch(
  test: TestEdge,
  token: string,
  request: Parameters<ReturnType<typeof clientOf>["watchViewport"]>[0],
) {
  const abort = new AbortController();
  open.push({ [Symbol.asyncDispose]: async () => abort.abort() });
  const headers = { authorization: `Bearer ${token}` };
  const stream = clientOf(test)
    .watchViewport(request, { headers, signal: abort.signal })
    [Symbol.asyncIterator]();
  return async (): Promise<WatchViewportResponse> => (await stream.next()).value;
}

function clientOf(test: TestEdge) {
  return createClient(FleetService, createConnectTransport({ baseUrl: test.url, httpVersion: "1.1" }));
}

/** Lets the clock run in seconds until the message is there. */
async function meanwhile<Value>(clock: VirtualClock, message: Promise<Value>): Promise<Value> {
  let done = false;
  const settle = () => {
    done = true;
  };
  message.then(settle, settle);
  while (!done) {
    clock.advanceTo(clock.now() + 100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return message;
}

describe("WatchViewport", () => {
  it("shows all cars of the rectangle, then what moved, came and went; riders never", async () => {
    const { clock, test, put } = await start();
    await put(party("a", 0), party("b", 0), party("far", 0, 40), party("r", 0, 57.7, "rider"));
    const next = watch(test, await test.token("ops", "o"), { viewport: CITY });
    const first = await next();
    expect([first.snapshot, first.cars.map((car) => car.driverId).sort()]).toEqual([true, ["a", "b"]]);
    expect(first.cars[0]).toMatchObject({
      latitudeE7: 577_000_000,
      headingDeg: 45,
      freshness: Freshness.LIVE,
    });

    await put(party("a", 1), party("b", 1, 40), party("c", 1));
    const second = await meanwhile(clock, next());
    expect(second).toMatchObject({ snapshot: false, goneDriverIds: ["b"], truncated: false });
    expect(second.cars.map((car) => car.driverId).sort()).toEqual(["a", "c"]);
  });

  it("tells when a car falls silent, and beats when nothing happens", async () => {
    const { clock, test, put } = await start();
    await put(party("a", 0));
    const next = watch(test, await test.token("support", "s"), { viewport: CITY });
    await next();
    expect((await meanwhile(clock, next())).cars[0]?.freshness).toBe(Freshness.DELAYED);
    const beat = await meanwhile(clock, next());
    expect([beat.cars, Number(beat.serverTimeMs) - START_MS >= 24_000]).toEqual([[], true]);
  });

  it("keeps to the number of cars asked for, says that there are more, and does not flicker", async () => {
    const { clock, test, put } = await start();
    await put(...Array.from({ length: 9 }, (_, i) => party(`car${i}`, 0)));
    const next = watch(test, await test.token("ops", "o"), { viewport: CITY, maxCars: 3 });
    const first = await next();
    expect([first.cars.length, first.truncated]).toEqual([3, true]);
    await put(...Array.from({ length: 9 }, (_, i) => party(`car${i}`, 1)));
    const second = await meanwhile(clock, next());
    expect(second.goneDriverIds.length).toBeLessThanOrEqual(3);
    expect(second.cars).toHaveLength(3);
  });

  it("is for ops and support alone, and refuses rectangles that are none", async () => {
    const { test } = await start();
    const ops = await test.token("ops", "o");
    const code = (token: string, request: Parameters<typeof watch>[2]) =>
      watch(test, token, request)().then(
        () => "no failure",
        (error) =>
          `${Code[ConnectError.from(error).code]} ${ConnectError.from(error).metadata.get("bimride-code")}`,
      );
    for (const role of ["rider", "driver", "backend", "admin"] as const) {
      expect(await code(await test.token(role, "x"), { viewport: CITY })).toBe(
        "PermissionDenied ROLE_FORBIDDEN",
      );
    }
    const { southWest, northEast } = CITY;
    for (const viewport of [
      undefined,
      { southWest },
      { southWest: northEast, northEast: southWest },
      { southWest: { latitudeDeg: Number.NaN, longitudeDeg: 0 }, northEast },
      { southWest, northEast: { latitudeDeg: 91, longitudeDeg: 0 } },
      { southWest, northEast: { latitudeDeg: 58, longitudeDeg: Infinity } },
    ]) {
      expect(await code(ops, { viewport })).toBe("InvalidArgument VIEWPORT_INVALID");
    }
    expect(await code(ops, { viewport: CITY, maxCars: 5_001 })).toBe("InvalidArgument FIELD_INVALID");
  });

  it("ends when the token expires", async () => {
    const { clock, test } = await start();
    const next = watch(test, await test.token("ops", "o", 5_000), { viewport: CITY });
    await next();
    await expect(meanwhile(clock, next())).rejects.toMatchObject({ code: Code.Unauthenticated });
  });
});
