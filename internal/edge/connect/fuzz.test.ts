import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { tripOf } from "../../live/kit.ts";
import { someTripId, startTestEdge } from "../kit.ts";

const METHODS = [
  "LiveService/GetLiveTrip",
  "LiveService/WatchTrips",
  "LiveService/RefreshWatch",
  "FleetService/WatchViewport",
  "HistoryService/GetTrack",
  "HistoryService/ListTripEvents",
  "HistoryService/ExportTrack",
  "PlacementService/Locate",
  "TripService/GetTrip",
  "TripService/SetTripStatus",
  "TripService/ListTrips",
];
const TYPES = [
  "application/proto",
  "application/json",
  "application/connect+proto",
  "application/connect+json",
  "application/grpc-web+proto",
  "application/grpc-web-text",
  "text/plain",
];
const ENCODINGS = ["", "gzip", "br", "nonsense"];

/** Bytes out of a number, the same every time. */
function bytesOf(seed: number): Buffer {
  const bytes = createHash("sha512").update(String(seed)).digest();
  const length = bytes[0]! % 50;
  const body = bytes.subarray(1, 1 + length);
  if (seed % 3 === 0) return body;
  if (seed % 3 === 1) return Buffer.concat([Buffer.from([seed % 4, 0, 0, 0, body.length]), body]);
  return Buffer.from(
    JSON.stringify({ tripId: body.toString("latin1"), pageSize: seed, viewport: null, view: seed }),
  );
}

it("answers 3,000 pieces of garbage without a fault of its own, and good calls in between as ever", async () => {
  const unused = async () => [];
  const history = { track: unused, events: unused, final: async () => undefined };
  await using test = await startTestEdge(new Map(), { history });
  await test.start(tripOf(someTripId(1)));
  const authorization = `Bearer ${await test.token("ops", "o")}`;
  const sendGarbage = async (seed: number) => {
    const encoding = ENCODINGS[seed % ENCODINGS.length]!;
    const type = TYPES[seed % TYPES.length]!;
    const response = await fetch(`${test.url}/bimride.tracking.v1.${METHODS[seed % METHODS.length]}`, {
      method: "POST",
      headers: {
        authorization,
        "content-type": type,
        ...(encoding ? { "content-encoding": encoding, "connect-content-encoding": encoding } : {}),
      },
      body: new Uint8Array(bytesOf(seed)),
    });
    const text = await response.text();
    expect([seed, response.status < 500 || response.status === 501, text.includes('"internal"')]).toEqual([
      seed,
      true,
      false,
    ]);
    expect([seed, response.headers.get("grpc-status")]).not.toEqual([seed, "13"]);
  };
  for (let seed = 0; seed < 3_000; seed += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, i) => sendGarbage(seed + i)));
  }
  const good = await fetch(`${test.url}/v1/trips/${someTripId(1)}/live`, { headers: { authorization } });
  expect(good.status).toBe(200);
  const metrics = await test.registry.metrics();
  expect(metrics).toContain('bimride_edge_failures_total{code="INTERNAL"} 0');
  expect(metrics).toContain('bimride_edge_watches{kind="trips"} 0');
}, 180_000);

it("calls a message that is no protobuf or too large by its name, in every protocol", async () => {
  await using test = await startTestEdge(new Map(), { limits: { maxMessageBytes: 1_000 } });
  const authorization = `Bearer ${await test.token("ops", "o")}`;
  const send = async (method: string, type: string, body: Uint8Array<ArrayBuffer>) => {
    const response = await fetch(`${test.url}/bimride.tracking.v1.LiveService/${method}`, {
      method: "POST",
      headers: { authorization, "content-type": type },
      body,
    });
    const said = response.headers.get("bimride-code") ?? (await response.text());
    return said.match(/[A-Z_]{8,}/)?.[0];
  };
  const garbage = new Uint8Array([0xff, 0xff, 0xff]);
  const envelope = new Uint8Array([0, 0, 0, 0, 3, ...garbage]);
  const large = new Uint8Array(5_000);
  expect(await send("GetLiveTrip", "application/proto", garbage)).toBe("MESSAGE_INVALID");
  expect(await send("GetLiveTrip", "application/json", garbage)).toBe("MESSAGE_INVALID");
  expect(await send("WatchTrips", "application/connect+proto", envelope)).toBe("MESSAGE_INVALID");
  expect(await send("GetLiveTrip", "application/grpc-web+proto", envelope)).toBe("MESSAGE_INVALID");
  expect(await send("GetLiveTrip", "application/proto", large)).toBe("MESSAGE_TOO_LARGE");
});
