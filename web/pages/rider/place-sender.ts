import { create, toBinary } from "@bufbuild/protobuf";
import { FixSource } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import { PublishBatchRequestSchema } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { TokenSource } from "../token-source.ts";

/** How often a waiting rider's place is sent, milliseconds. */
const SEND_EVERY_MS = 4_000;
const REQUEST_TIMEOUT_MS = 10_000;

/** Where this device is now. Rejects with a GeolocationPositionError, or an Error where the browser can't tell. */
export function locate(): Promise<GeolocationPosition> {
  return new Promise((resolve, reject) => {
    if (!("geolocation" in navigator)) reject(new Error("no geolocation"));
    else navigator.geolocation.getCurrentPosition(resolve, reject, { enableHighAccuracy: true });
  });
}

/**
 * Sends where this device is, every few seconds when there is news, until stopped. One session per call; a place that could
 * not be sent is followed by the next one: nobody needs to know where a rider was.
 */
export function sendPlaces(token: TokenSource): () => void {
  const sessionId = crypto.randomUUID();
  let newest: GeolocationPosition | undefined;
  let sentAtMs = 0;
  let seq = 0;
  const stopped = new AbortController();
  const watch = navigator.geolocation.watchPosition(
    (position) => {
      newest = position;
    },
    () => {
      // Silence says it: the driver sees how old the last place is.
    },
    { enableHighAccuracy: true },
  );
  const timer = setInterval(() => {
    if (!newest || newest.timestamp <= sentAtMs) return;
    sentAtMs = newest.timestamp;
    void post(newest, { sessionId, seq: seq++, token, signal: stopped.signal }).catch(() => {});
  }, SEND_EVERY_MS);
  return () => {
    stopped.abort();
    navigator.geolocation.clearWatch(watch);
    clearInterval(timer);
  };
}

type Sending = { sessionId: string; seq: number; token: TokenSource; signal: AbortSignal };

async function post({ coords, timestamp }: GeolocationPosition, sending: Sending): Promise<void> {
  const { sessionId, seq, token, signal } = sending;
  const deviceTimeMs = BigInt(Date.now());
  const position = { latitudeDeg: coords.latitude, longitudeDeg: coords.longitude };
  const request = create(PublishBatchRequestSchema, {
    hello: { sessionId, deviceTimeMs, position },
    fixes: {
      deviceTimeMs,
      fixes: [
        {
          ...{ seq, capturedAtMs: BigInt(Math.round(timestamp)), position, source: FixSource.FUSED },
          ...{ accuracyM: coords.accuracy, speedMps: coords.speed ?? undefined },
        },
      ],
    },
  });
  await fetch("/v1/fixes", {
    method: "POST",
    headers: { authorization: `Bearer ${await token()}`, "content-type": "application/x-protobuf" },
    body: new Uint8Array(toBinary(PublishBatchRequestSchema, request)),
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
  });
}
