import { connect, type Socket } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import {
  WatchTripsRequestSchema,
  type WatchTripsResponse,
  WatchTripsResponseSchema,
} from "../../gen/bimride/tracking/v1/live_pb.ts";
import { tripOf } from "../live/kit.ts";
import { someTripId, startTestEdge, type TestEdge } from "./kit.ts";

const TRIP = someTripId(1);
/** Far more than the buffers of both sockets hold (about 100 bytes each). */
const CHANGES = 150_000;

/** A Connect client on a bare socket, so that it can really stop reading. */
async function rawWatch(test: TestEdge): Promise<Socket> {
  const message = toBinary(
    WatchTripsRequestSchema,
    create(WatchTripsRequestSchema, { targets: [{ tripId: TRIP }] }),
  );
  const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
  const socket = connect(Number(new URL(test.url).port), "127.0.0.1");
  socket.write(
    [
      "POST /bimride.tracking.v1.LiveService/WatchTrips HTTP/1.1",
      "host: 127.0.0.1",
      `authorization: Bearer ${await test.token("rider", "r1")}`,
      "content-type: application/connect+proto",
      "connect-protocol-version: 1",
      `content-length: ${envelope.length}`,
      "\r\n",
    ].join("\r\n"),
  );
  socket.write(envelope);
  return socket;
}

/** The messages in the bytes of a chunked answer, as far as they are whole. */
function messagesIn(bytes: Buffer): WatchTripsResponse["message"][] {
  let body = Buffer.alloc(0);
  const chunks: Buffer[] = [];
  for (let at = bytes.indexOf("\r\n\r\n") + 4; ; ) {
    const end = bytes.indexOf("\r\n", at);
    const length = end < 0 ? Number.NaN : Number.parseInt(bytes.toString("latin1", at, end), 16);
    if (!(length > 0) || end + 2 + length > bytes.length) break;
    chunks.push(bytes.subarray(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
  body = Buffer.concat(chunks);
  const messages: WatchTripsResponse["message"][] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const length = body.readUInt32BE(at + 1);
    if (at + 5 + length > body.length) break;
    if (body[at] === 0)
      messages.push(fromBinary(WatchTripsResponseSchema, body.subarray(at + 5, at + 5 + length)).message);
    at += 5 + length;
  }
  return messages;
}

it("gives a viewer who does not read the newest state afterwards, not the backlog, and slows nobody", async () => {
  await using test = await startTestEdge(new Map());
  const car = await test.start(tripOf(TRIP));
  const slow = await rawWatch(test);
  let bytes = Buffer.alloc(0);
  const pieces: Buffer[] = [];
  slow.on("data", (piece: Buffer) => pieces.push(piece));
  await expect.poll(() => messagesIn(Buffer.concat(pieces)).length).toBe(2);
  slow.pause();

  const quick = await rawWatch(test);
  let quickBytes = 0;
  quick.on("data", (piece: Buffer) => {
    quickBytes += piece.length;
  });
  const startMs = Date.now();
  for (let i = 0; i < CHANGES; i++) {
    await car.move(startMs + i);
    if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const last = BigInt(car.live.version.sequence);
  await expect.poll(() => quickBytes).toBeGreaterThan(10_000);

  slow.resume();
  const newest = () => {
    bytes = Buffer.concat(pieces);
    const versions = messagesIn(bytes).flatMap((message) =>
      message.case === "update" || message.case === "snapshot" ? (message.value.version?.sequence ?? 0n) : [],
    );
    return { newest: versions.at(-1), count: versions.length, sorted: isRising(versions) };
  };
  await expect.poll(() => newest().newest, { timeout: 20_000 }).toBe(last);
  const seen = newest();
  expect(seen.sorted).toBe(true);
  expect(seen.count).toBeLessThan(CHANGES);
  slow.destroy();
  quick.destroy();
  await expect.poll(() => test.registry.metrics()).toContain('bimride_edge_watches{kind="trips"} 0');
}, 60_000);

function isRising(versions: bigint[]): boolean {
  return versions.every((version, i) => i === 0 || version > versions[i - 1]!);
}
