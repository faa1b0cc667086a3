import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { fromJson } from "@bufbuild/protobuf";
import { LocateResponseSchema } from "../gen/bimride/tracking/v1/placement_pb.ts";
import type { LatLon } from "../internal/core/geo.ts";
import { geohashOf } from "../internal/core/geohash.ts";
import type { ClientTrust } from "../internal/core/tls.ts";
import { requestTrust } from "./client-trust.ts";

/** Longest wait for an answer: a driver who gets none goes where drivers went before. */
const LOCATE_TIMEOUT_MS = 1_000;
/** Letters of the geohash that is sent: a cell of about 40 by 20 km, enough for choosing a region. */
const GEOHASH_LETTERS = 4;

/**
 * Asks any node which gateway the token's party should use (GET /v1/placement). The addresses in the order in which to
 * try them; none when nobody answers in time: placement is a hint, and every gateway serves everyone.
 * @param node any of the deployment, and what to believe of it where it has TLS
 * @param place roughly where the party is, when that is known
 * @param lastRegion the region that the last Welcome named, or empty
 */
export async function locateGateways(
  { httpUrl, trust }: { httpUrl: string; trust: ClientTrust | undefined },
  token: string,
  place: LatLon | undefined,
  lastRegion: string,
): Promise<string[]> {
  const url = new URL("/v1/placement", httpUrl);
  if (place) url.searchParams.set("geohash", geohashOf(place.latDeg, place.lonDeg, GEOHASH_LETTERS));
  if (lastRegion !== "") url.searchParams.set("lastRegion", lastRegion);
  try {
    const answer = await read(url, trust, token);
    if (answer === undefined) return [];
    const { node, alternates } = fromJson(LocateResponseSchema, JSON.parse(answer), {
      ignoreUnknownFields: true,
    });
    return [node, ...alternates].flatMap((each) => (each?.grpcAddress ? [each.grpcAddress] : []));
  } catch {
    // Nobody there, too late, or not an answer: the caller goes by what it knows.
    return [];
  }
}

/** The body of an answer with status 200. Not by fetch, which can't be told what to believe. */
async function read(url: URL, trust: ClientTrust | undefined, token: string): Promise<string | undefined> {
  const options = {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(LOCATE_TIMEOUT_MS),
  };
  const sent = trust ? httpsRequest(url, { ...options, ...requestTrust(trust) }) : httpRequest(url, options);
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const body = await text(response);
  return response.statusCode === 200 ? body : undefined;
}
