import { create } from "@bufbuild/protobuf";
import {
  type LocateRequest,
  type LocateResponse,
  LocateResponseSchema,
  type PartyTarget,
  type ServingNode,
  ServingNodeSchema,
} from "../../gen/bimride/tracking/v1/placement_pb.ts";
import type { Principal } from "../auth/principal.ts";
import { BimrideError } from "../core/errors.ts";
import type { LatLon } from "../core/geo.ts";
import { geohashCentre } from "../core/geohash.ts";
import { REGION_PATTERN, TRIP_ID_PATTERN } from "../core/ids.ts";
import type { LiveNode } from "../placement/nodes.ts";
import type { Placed, Placement } from "../placement/placement.ts";

/** How long a client may go by an answer: nodes come and go more seldom, and a try at one that went costs little. */
const VALID_FOR_MS = 60_000;

/**
 * The node that the caller should use, by what this process knows. Reads no trip.
 * @throws MESSAGE_INVALID, FIELD_INVALID, POSITION_INVALID, POSITION_NULL_ISLAND, ROLE_FORBIDDEN, NO_LIVE_NODE
 */
export function locate(
  { placement }: { placement: Placement },
  principal: Principal,
  { target }: Pick<LocateRequest, "target">,
): LocateResponse {
  switch (target.case) {
    case "party":
      return answerOf(placeParty(placement, principal, target.value));
    case "trip": {
      const { tripId } = target.value;
      if (!TRIP_ID_PATTERN.test(tripId)) throw invalid("trip.trip_id");
      return answerOf(placement.ofTrip(tripId));
    }
    default:
      throw new BimrideError("MESSAGE_INVALID", "For what is the node? Say party or trip.");
  }
}

function placeParty(
  placement: Placement,
  { role, subject }: Principal,
  { place, lastRegion }: PartyTarget,
): Placed {
  if (role !== "driver" && role !== "rider") throw new BimrideError("ROLE_FORBIDDEN");
  if (lastRegion !== "" && !REGION_PATTERN.test(lastRegion)) throw invalid("party.last_region");
  return placement.ofParty({ kind: role, id: subject }, placeOf(place), lastRegion);
}

function placeOf(place: PartyTarget["place"]): LatLon | undefined {
  if (place.case === "geohash") {
    const centre = geohashCentre(place.value);
    if (!centre) throw invalid("party.geohash");
    return centre;
  }
  if (place.case === undefined) return undefined;
  const { latitudeDeg: latDeg, longitudeDeg: lonDeg } = place.value;
  // Written so that NaN is refused too.
  if (!(Math.abs(latDeg) <= 90)) throw positionInvalid("party.position.latitude_deg");
  if (!(Math.abs(lonDeg) <= 180)) throw positionInvalid("party.position.longitude_deg");
  if (latDeg === 0 && lonDeg === 0)
    throw new BimrideError("POSITION_NULL_ISLAND", undefined, { field: "party.position" });
  return { latDeg, lonDeg };
}

function answerOf({ region, nodes: [node, ...alternates] }: Placed): LocateResponse {
  return create(LocateResponseSchema, {
    node: servingNode(node),
    alternates: alternates.map(servingNode),
    region,
    validForMs: VALID_FOR_MS,
  });
}

function servingNode({ nodeId, httpUrl, grpcAddress }: LiveNode): ServingNode {
  return create(ServingNodeSchema, { nodeId, httpUrl, grpcAddress });
}

function invalid(field: string): BimrideError {
  return new BimrideError("FIELD_INVALID", undefined, { field });
}

function positionInvalid(field: string): BimrideError {
  return new BimrideError("POSITION_INVALID", undefined, { field });
}
