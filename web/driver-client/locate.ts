import { fromJson } from "@bufbuild/protobuf";
import { LocateResponseSchema } from "../../gen/bimride/tracking/v1/placement_pb.ts";

/** Where a gateway is: the origin of its HTTP side, and host:port of gRPC; empty where it has none. */
export type GatewayAddress = { httpUrl: string; grpcAddress: string };
export type Place = { latDeg: number; lonDeg: number };
/** Asks which gateways to use: in the order in which to try them, none when nobody answers. Never rejects. */
export type LocateGateways = (
  token: string,
  place: Place | undefined,
  lastRegion: string,
) => Promise<GatewayAddress[]>;

/** Longest wait for an answer: a driver who gets none goes where drivers went before. */
const LOCATE_TIMEOUT_MS = 1_000;
/** Letters of the geohash that is sent: a cell of about 40 by 20 km, enough for choosing a region. */
const GEOHASH_LETTERS = 4;
const BITS_PER_LETTER = 5;
const GEOHASH_ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz";

/**
 * Asks any node which gateway the token's party should use (GET /v1/placement). Placement is a hint: every gateway serves
 * everyone.
 */
export function locateGatewaysAt(
  httpUrl: string,
  fetchLike: (url: URL, init: RequestInit) => Promise<Response> = (url, init) => fetch(url, init),
): LocateGateways {
  return async (token, place, lastRegion) => {
    const url = new URL("/v1/placement", httpUrl);
    if (place) url.searchParams.set("geohash", roughGeohash(place));
    if (lastRegion !== "") url.searchParams.set("lastRegion", lastRegion);
    try {
      const response = await fetchLike(url, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(LOCATE_TIMEOUT_MS),
      });
      if (!response.ok) return [];
      const { node, alternates } = fromJson(LocateResponseSchema, await response.json(), {
        ignoreUnknownFields: true,
      });
      return [node, ...alternates].flatMap((each) => (each ? [each] : []));
    } catch {
      // Nobody there, too late, or not an answer: the caller goes by what it knows.
      return [];
    }
  };
}

/** The cell of a place, so rough that it may stand in a URL. Halves the globe in turn, longitude first (G. Niemeyer, 2008). */
function roughGeohash({ latDeg, lonDeg }: Place): string {
  const [lat, lon] = [
    { low: -90, high: 90, at: latDeg },
    { low: -180, high: 180, at: lonDeg },
  ];
  let hash = "";
  for (let bit = 0, letter = 0; hash.length < GEOHASH_LETTERS; bit++) {
    const axis = bit % 2 === 0 ? lon : lat;
    const middle = (axis.low + axis.high) / 2;
    const isHigh = axis.at >= middle;
    if (isHigh) axis.low = middle;
    else axis.high = middle;
    letter = letter * 2 + (isHigh ? 1 : 0);
    if (bit % BITS_PER_LETTER !== BITS_PER_LETTER - 1) continue;
    hash += GEOHASH_ALPHABET[letter];
    letter = 0;
  }
  return hash;
}
