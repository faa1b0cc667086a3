import { type Transport as ConnectTransport, createClient } from "@connectrpc/connect";
import { PlacementService } from "../../gen/bimride/tracking/v1/placement_pb.ts";
import { type Transport, WatchFailure, type WatchRequest } from "./transport.ts";
import type { WatchClock } from "./watch-clock.ts";

/** Where to watch a trip: origins in the order in which to try them, and for how long that holds. */
export type Located = { urls: string[]; validForMs: number };
/** Asks where to watch a trip. Rejects when nobody answers. */
export type Locate = (tripId: string, token: string, signal: AbortSignal) => Promise<Located>;

/** Longest wait for an answer; well below the time in which a first message must come. */
const LOCATE_TIMEOUT_MS = 1_000;

/** A place that failed is left out for so long: placement may not know yet, or reach it where this client does not. */
const AVOID_MS = 30_000;
/** Places remembered as failed at most; beyond, the one longest ago is forgotten. */
const MAX_AVOIDED = 16;

/** Asks a server's PlacementService. */
export function locateAt(rpc: ConnectTransport): Locate {
  const client = createClient(PlacementService, rpc);
  return async (tripId, token, signal) => {
    const { node, alternates, validForMs } = await client.locate(
      { target: { case: "trip", value: { tripId } } },
      { headers: { authorization: `Bearer ${token}` }, signal, timeoutMs: LOCATE_TIMEOUT_MS },
    );
    const urls = [node, ...alternates].flatMap((each) => (each ? [each.httpUrl] : []));
    return { urls, validForMs };
  };
}

/** The places to watch at, best first. */
export type Places = {
  /** At least one; the base URL stands last. Never rejects but with the token's source. */
  urls(request: WatchRequest): Promise<readonly string[]>;
  /** A session there failed: it is left out for a while, and where to go is asked again. */
  failed(url: string): void;
};

/** Remembers what placement said; when it does not answer, goes on by what it said last. */
export function createPlaces(options: { baseUrl: string; locate: Locate; clock: WatchClock }): Places {
  const { locate, clock } = options;
  const baseUrl = new URL(options.baseUrl).origin;
  let known: string[] = [];
  let goodUntilMs = Number.NEGATIVE_INFINITY;
  const avoidedUntilMs = new Map<string, number>();
  const isFit = (url: string) => clock.monotonic() >= (avoidedUntilMs.get(url) ?? Number.NEGATIVE_INFINITY);
  return {
    async urls({ targets, token, signal }) {
      const [target] = targets;
      if (target && clock.monotonic() >= goodUntilMs) {
        const bearer = await token();
        try {
          const { urls, validForMs } = await locate(target.tripId, bearer, signal);
          known = urls.filter((url) => URL.canParse(url)).map((url) => new URL(url).origin);
          goodUntilMs = clock.monotonic() + validForMs;
        } catch {
          // Placement is a hint: without it the base URL serves as well. The next session asks again.
        }
      }
      return [...new Set([...known.filter(isFit), baseUrl])];
    },
    failed(url) {
      avoidedUntilMs.delete(url);
      avoidedUntilMs.set(url, clock.monotonic() + AVOID_MS);
      const [longestAgo] = avoidedUntilMs.keys();
      if (avoidedUntilMs.size > MAX_AVOIDED) avoidedUntilMs.delete(longestAgo!);
      goodUntilMs = Number.NEGATIVE_INFINITY;
    },
  };
}

/** The transports that `make` gives for an origin, each going where the places say. */
export function placedTransports(make: (baseUrl: string) => Transport[], places: Places): Transport[] {
  // Asked for the names only: a transport does nothing before it is opened.
  return make("http://localhost").map(({ name, refresh }, rung) =>
    placedTransport(name, refresh !== undefined, (url) => make(url)[rung]!, places),
  );
}

function placedTransport(
  name: Transport["name"],
  refreshes: boolean,
  make: (baseUrl: string) => Transport,
  places: Places,
): Transport {
  let serving: Transport | undefined;
  return {
    name,
    async *open(request) {
      const urls = await places.urls(request);
      for (const [i, url] of urls.entries()) {
        if (request.signal.aborted) return;
        const transport = make(url);
        let heard = false;
        // Given up without a word: the next session must know at once, whenever this transport notices.
        const givenUp = () => {
          if (!heard) places.failed(url);
        };
        request.signal.addEventListener("abort", givenUp, { once: true });
        try {
          for await (const message of transport.open(request)) {
            heard = true;
            serving = transport;
            yield message;
          }
          if (heard) return;
          places.failed(url);
        } catch (error) {
          const hopeless = error instanceof WatchFailure && error.unauthenticated;
          // A token that expired on the way says nothing against the place.
          if (!(heard && hopeless)) places.failed(url);
          if (heard || hopeless || i === urls.length - 1) throw error;
        } finally {
          request.signal.removeEventListener("abort", givenUp);
        }
      }
    },
    ...(refreshes
      ? {
          refresh(watchId, token, signal) {
            if (!serving?.refresh) throw new WatchFailure("nothing is being watched");
            return serving.refresh(watchId, token, signal);
          },
        }
      : {}),
  };
}
