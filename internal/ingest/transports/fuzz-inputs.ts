import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  PublishBatchRequestSchema,
  type PublishRequest,
  PublishRequestSchema,
} from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { Raw } from "./clients.ts";
import { fixesMessage, goodFix } from "./conformance-rig.ts";

/** Numbers from 0 to 1, the same for the same seed (mulberry32, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** How the transport's frames are written, so that damage is done to what would have been good. */
export type Wire = { json: boolean; batch: boolean };

const WILD = [
  ...[
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    0,
    -0,
    91,
    -181,
    1e300,
    -1,
    1e-320,
    400,
  ],
];

/** One bad input: noise, a damaged message, a well-formed one of wild values, or a piece of another kind. */
export function badInput(random: () => number, wire: Wire): Raw {
  const kind = Math.floor(random() * 6);
  if (kind === 0) return noise(random, wire);
  if (kind === 1) return write(wildMessage(random), wire);
  if (kind === 2) return write(oddMessage(random), wire);
  return damage(write(wildMessage(random), wire), random);
}

/** Good fixes as a frame. */
export function write(message: PublishRequest, { json, batch }: Wire): Raw {
  if (!batch)
    return json ? toJsonString(PublishRequestSchema, message) : toBinary(PublishRequestSchema, message);
  const hello = { sessionId: "session-1", deviceTimeMs: BigInt(Date.now()) };
  const fixes = message.message.case === "fixes" ? message.message.value : undefined;
  const call = create(PublishBatchRequestSchema, { hello, fixes });
  return json ? toJsonString(PublishBatchRequestSchema, call) : toBinary(PublishBatchRequestSchema, call);
}

function noise(random: () => number, { json }: Wire): Raw {
  const bytes = Uint8Array.from({ length: Math.floor(random() * 200) }, () => random() * 256);
  return json ? Buffer.from(bytes).toString("latin1") : bytes;
}

function wildMessage(random: () => number): PublishRequest {
  const wild = () => WILD[Math.floor(random() * WILD.length)] as number;
  const wildFloat = () => Math.fround(wild());
  const fixes = Array.from({ length: Math.floor(random() * 4) }, () => ({
    ...goodFix(3_000_000_000 + Math.floor(random() * 1e9)),
    ...(random() < 0.6 && { position: { latitudeDeg: wild(), longitudeDeg: wild() } }),
    ...(random() < 0.3 && { accuracyM: float32(wildFloat()), speedMps: float32(wildFloat()) }),
    ...(random() < 0.3 && { headingDeg: float32(wildFloat()), altitudeM: float32(wildFloat()) }),
    ...(random() < 0.3 && { capturedAtMs: BigInt.asIntN(64, BigInt(Math.floor(random() * 2 ** 52)) << 11n) }),
  }));
  const deviceTimeMs = random() < 0.2 ? Math.floor((random() - 0.5) * 2 ** 53) : Date.now();
  return fixesMessage(fixes, Math.floor(random() * 2 ** 32), deviceTimeMs);
}

/** What protobuf's JSON form can hold: beyond the range of a float there is only infinity. */
function float32(value: number): number {
  return Math.abs(value) > 3.4e38 ? Math.sign(value) * Number.POSITIVE_INFINITY : value;
}

function oddMessage(random: () => number): PublishRequest {
  const odd = Math.floor(random() * 4);
  if (odd === 0) return create(PublishRequestSchema);
  if (odd === 1) {
    const value = { batteryPercent: Math.floor(random() * 2 ** 32) };
    return create(PublishRequestSchema, { message: { case: "deviceState", value } });
  }
  if (odd === 2)
    return create(PublishRequestSchema, { message: { case: "tokenRefresh", value: { token: "x" } } });
  const value = { sessionId: "not a session id".repeat(Math.floor(random() * 5)), deviceTimeMs: -1n };
  return create(PublishRequestSchema, { message: { case: "hello", value } });
}

/** Flips, cuts and repeats. */
function damage(raw: Raw, random: () => number): Raw {
  let bytes = Buffer.from(raw as string);
  for (let times = 1 + Math.floor(random() * 4); times > 0 && bytes.length > 0; times--) {
    const at = Math.floor(random() * bytes.length);
    const what = random();
    if (what < 0.6) bytes[at] = Math.floor(random() * 256);
    else if (what < 0.8) bytes = bytes.subarray(0, at);
    else bytes = Buffer.concat([bytes, bytes.subarray(at)]);
  }
  return typeof raw === "string" ? bytes.toString("latin1") : bytes;
}
