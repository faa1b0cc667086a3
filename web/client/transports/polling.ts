import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import {
  GetLiveTripResponseSchema,
  HeartbeatSchema,
  TripUnavailableSchema,
  TripUnchangedSchema,
  type WatchTripsResponse,
  WatchTripsResponseSchema,
} from "../../../gen/bimride/tracking/v1/live_pb.ts";
import { type Transport, WatchFailure, type WatchRequest } from "../transport.ts";
import { pause, type WatchClock } from "../watch-clock.ts";

/** Time of one request, milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Bounds of what the server may ask for as the wait between polls, and the wait when it does not say. */
const MIN_POLL_MS = 1_000;
const MAX_POLL_MS = 25_000;
const DEFAULT_POLL_MS = 4_000;
/** Header of a 304, which has no body to say it in. */
const POLL_AFTER_HEADER = "bimride-poll-after-ms";

type Poll = { etag: string | undefined; pollAfterMs: number; gone: boolean };
type Message = WatchTripsResponse["message"];

const wrap = (message: Message): WatchTripsResponse => create(WatchTripsResponseSchema, { message });
const within = (ms: number) => Math.min(MAX_POLL_MS, Math.max(MIN_POLL_MS, ms));

/**
 * Asks GET /v1/trips/{id}/live again and again, as often as the server says, with ETag and 304. Each answer becomes the
 * message that a stream would have brought.
 */
export function pollingTransport(
  baseUrl: string,
  clock: WatchClock,
  fetchLike: typeof fetch = (input, init) => fetch(input, init),
): Transport {
  return {
    name: "polling",
    async *open(request: WatchRequest) {
      const polls = new Map<string, Poll>();
      for (const { tripId } of request.targets)
        polls.set(tripId, { etag: undefined, pollAfterMs: DEFAULT_POLL_MS, gone: false });
      while (!request.signal.aborted) {
        let waitMs = MAX_POLL_MS;
        for (const [tripId, poll] of polls) {
          if (poll.gone) continue;
          yield* askOnce(fetchLike, baseUrl, tripId, poll, request);
          waitMs = Math.min(waitMs, poll.pollAfterMs);
        }
        if ([...polls.values()].every((poll) => poll.gone)) return;
        await pause(clock, waitMs, request.signal);
      }
    },
  };
}

async function* askOnce(
  fetchLike: typeof fetch,
  baseUrl: string,
  tripId: string,
  poll: Poll,
  request: WatchRequest,
): AsyncGenerator<WatchTripsResponse> {
  const token = await request.token();
  const headers: Record<string, string> = { authorization: `Bearer ${token}`, accept: "application/json" };
  if (poll.etag) headers["if-none-match"] = poll.etag;
  const url = new URL(`/v1/trips/${encodeURIComponent(tripId)}/live`, baseUrl);
  let response: Response;
  let body: JsonValue;
  try {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    // The browser's own cache would answer a 304 with a 200; `no-store` leaves the ETag to us.
    response = await fetchLike(url.href, { headers, signal, cache: "no-store" });
    body = response.status === 304 ? null : ((await response.json()) as JsonValue);
  } catch (error) {
    throw new WatchFailure("the request failed", { cause: error });
  }
  const serverTimeMs = Date.parse(response.headers.get("date") ?? "");
  // The header counts whole seconds: half of one is the best guess.
  if (Number.isFinite(serverTimeMs)) {
    const heartbeat = create(HeartbeatSchema, { serverTimeMs: BigInt(serverTimeMs + 500) });
    yield wrap({ case: "heartbeat", value: heartbeat });
  }
  yield answerOf(response, body, tripId, poll);
}

/** The message that an answer stands for; throws a WatchFailure when it is none. */
function answerOf(response: Response, body: JsonValue, tripId: string, poll: Poll): WatchTripsResponse {
  if (response.status === 304) {
    const hint = Number(response.headers.get(POLL_AFTER_HEADER));
    if (hint > 0) poll.pollAfterMs = within(hint);
    return wrap({ case: "unchanged", value: create(TripUnchangedSchema, { tripId }) });
  }
  if (response.status === 401) throw new WatchFailure("unauthenticated", { unauthenticated: true });
  if (response.status === 404) {
    poll.gone = true;
    const value = create(TripUnavailableSchema, { tripId, code: errorCodeOf(body), retryable: false });
    return wrap({ case: "unavailable", value });
  }
  if (!response.ok) throw new WatchFailure(`status ${response.status}`);
  let live: ReturnType<typeof readLive>;
  try {
    live = readLive(body);
  } catch (error) {
    throw new WatchFailure("not a valid answer", { cause: error });
  }
  poll.etag = response.headers.get("etag") ?? undefined;
  if (live.pollAfterMs > 0) poll.pollAfterMs = within(live.pollAfterMs);
  if (!live.live) throw new WatchFailure("an answer without a state");
  return wrap({ case: "snapshot", value: live.live });
}

function readLive(body: JsonValue) {
  return fromJson(GetLiveTripResponseSchema, body, { ignoreUnknownFields: true });
}

/** The code of an error body: `{"code": …}` or `{"error": {"code": …}}`. */
function errorCodeOf(body: JsonValue): string {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return "NOT_FOUND";
  const inner = body.error;
  const holder = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner : body;
  return typeof holder.code === "string" ? holder.code.toUpperCase() : "NOT_FOUND";
}
