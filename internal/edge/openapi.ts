import { ERRORS } from "../core/errors.ts";

type Operation = {
  summary: string;
  open?: boolean;
  path?: boolean;
  parameters?: object[];
  body?: object;
  answer?: object;
  answers?: Record<string, object>;
};

const MESSAGES =
  "the JSON form of a message of package bimride.tracking.v1 (proto3 JSON mapping; int64 as strings)";
const json = (schema: object) => ({ "application/json": { schema } });
const message = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const answer = (description: string, schema: object) => ({ "200": { description, content: json(schema) } });
const query = (name: string, description: string, schema: object) => ({
  name,
  in: "query",
  description,
  schema,
});
const file = { schema: { type: "string" } };
const paging = [
  query("pageSize", "Most items on a page; 0 means the method's own default.", {
    type: "integer",
    minimum: 0,
  }),
  query("pageToken", "nextPageToken of the page before.", { type: "string" }),
];
const tripId = {
  name: "id",
  in: "path",
  required: true,
  description: "The trip.",
  schema: { type: "string", pattern: "^[a-z0-9]{1,16}-[0-9a-hjkmnp-tv-z]{26}$" },
};

function operation({ summary, open, path, parameters = [], body, answers }: Operation): object {
  return {
    summary,
    ...(open ? { security: [] } : {}),
    parameters: [...(path ? [tripId] : []), ...parameters],
    ...(body ? { requestBody: { required: true, content: json(body) } } : {}),
    responses: {
      ...answers,
      default: { description: "An error of the vocabulary.", content: json(message("Failure")) },
    },
  };
}

const tripAnswer = answer("The trip, as the caller may see it.", message("TripAnswer"));

const trips = {
  "/v1/trips": {
    post: operation({
      summary: "Creates a trip (role backend).",
      body: message("CreateTripRequest"),
      answers: tripAnswer,
    }),
    get: operation({
      summary: "Lists trips, newest first; riders and drivers see their own.",
      parameters: [
        query("riderId", "Only this rider's.", { type: "string" }),
        query("driverId", "Only this driver's.", { type: "string" }),
        query("runningOnly", "Only trips that are not over.", { type: "boolean" }),
        ...paging,
      ],
      answers: answer("A page.", message("ListTripsResponse")),
    }),
  },
  "/v1/trips/{id}": {
    get: operation({ summary: "Reads a trip.", path: true, answers: tripAnswer }),
    patch: operation({
      summary: "Changes driver, riders, waypoints or path; absent fields stay (role backend).",
      path: true,
      body: message("UpdateTripRequest"),
      answers: tripAnswer,
    }),
  },
  "/v1/trips/{id}:status": {
    post: operation({
      summary: "Sets the status (its driver, or role backend).",
      path: true,
      body: message("SetTripStatusRequest"),
      answers: tripAnswer,
    }),
  },
  "/v1/trips/{id}:cancel": {
    post: operation({
      summary: "Cancels the trip (role backend).",
      path: true,
      body: message("CancelTripRequest"),
      answers: tripAnswer,
    }),
  },
  "/v1/trips/{id}:shareLocation": {
    post: operation({
      summary: "Lets the trip's driver see where the caller is until the pickup, or no longer (its riders).",
      path: true,
      body: message("SetLocationSharingRequest"),
      answers: tripAnswer,
    }),
  },
};

const live = {
  "/v1/trips/{id}/live": {
    get: operation({
      summary:
        "The live state now, for those who can't hold a stream. Ask again after bimride-poll-after-ms.",
      path: true,
      parameters: [
        {
          name: "if-none-match",
          in: "header",
          description: "ETag of the last answer.",
          schema: { type: "string" },
        },
      ],
      answers: {
        ...answer("The state.", message("GetLiveTripResponse")),
        "304": { description: "Nothing changed since the ETag." },
      },
    }),
  },
  "/v1/live": {
    get: operation({
      summary:
        "WebSocket: WatchTrips. Subprotocol bimride.v1.protobuf or bimride.v1.json; the token in Authorization, or as a further subprotocol bimride.token.<token>. First message WatchTripsRequest, later ones TokenRefresh.",
      open: true,
      answers: { "101": { description: "Switching to WebSocket." } },
    }),
  },
};

const record = {
  "/v1/trips/{id}/track": {
    get: operation({
      summary: "The track: pages as JSON, or the whole as a file.",
      path: true,
      parameters: [
        query("view", "As recorded, or final.", { enum: ["recorded", "final"], default: "recorded" }),
        query("format", "Pages, or a file.", { enum: ["json", "geojson", "gpx", "csv"], default: "json" }),
        ...paging,
      ],
      answers: {
        "200": {
          description: "The track.",
          content: {
            ...json(message("GetTrackResponse")),
            "application/geo+json": file,
            "application/gpx+xml": file,
            "text/csv": file,
          },
        },
      },
    }),
  },
  "/v1/trips/{id}/events": {
    get: operation({
      summary: "What happened on the trip, oldest first.",
      path: true,
      parameters: paging,
      answers: answer("A page.", message("ListTripEventsResponse")),
    }),
  },
};

const placement = {
  "/v1/placement": {
    get: operation({
      summary:
        "Which node to use: with tripId the edge to watch that trip on (any role); else the gateway for the caller's own fixes (role driver or rider).",
      parameters: [
        query("tripId", "The trip to watch.", tripId.schema),
        query("geohash", "Roughly where the caller is; never finer, for URLs are logged.", {
          type: "string",
          pattern: "^[0-9b-hjkmnp-zB-HJKMNP-Z]{1,5}$",
        }),
        query("lastRegion", "The region that the last answer named.", {
          type: "string",
          pattern: "^[a-z0-9]{1,16}$",
        }),
      ],
      answers: answer("The node, and those to try when it fails.", message("LocateResponse")),
    }),
  },
};

const ingest = {
  "/v1/fixes": {
    post: operation({
      summary:
        "A batch of fixes, each answered with a verdict (role driver or rider). Also as application/x-protobuf.",
      body: message("PublishBatchRequest"),
      answers: {
        ...answer("The verdicts; none is BUFFERED.", message("PublishBatchResponse")),
        "202": {
          description:
            "The verdicts; some are BUFFERED: keep those fixes and send them again until ACCEPTED.",
          content: json(message("PublishBatchResponse")),
        },
      },
    }),
  },
  "/v1/ingest": {
    get: operation({
      summary:
        "WebSocket: Publish. Subprotocols and token as for /v1/live; messages PublishRequest and PublishResponse.",
      open: true,
      answers: { "101": { description: "Switching to WebSocket." } },
    }),
  },
};

const machine = {
  "/healthz": {
    get: operation({ summary: "Alive.", open: true, answers: answer("Yes.", { type: "object" }) }),
  },
  "/readyz": {
    get: operation({
      summary: "Ready for work.",
      open: true,
      answers: {
        ...answer("Yes.", message("Readiness")),
        "503": { description: "No: the failing checks by name.", content: json(message("Readiness")) },
      },
    }),
  },
  "/metrics": {
    get: operation({
      summary: "Prometheus metrics.",
      open: true,
      answers: { "200": { description: "The metrics.", content: { "text/plain": file } } },
    }),
  },
  "/openapi.json": {
    get: operation({ summary: "This document.", open: true, answers: answer("It.", { type: "object" }) }),
  },
};

const demoTrips = {
  open: true,
  summary:
    "Running trips for the landing page. Demo mode only, from this server's own pages on this machine.",
  answers: answer("The trips.", { type: "object" }),
};
const token = { token: { type: "string" }, expiresAtMs: { type: "number" } };
const body = (properties: Record<string, object>) => ({
  ...{ type: "object", required: Object.keys(properties), properties },
});
const demo = {
  "/demo/token": {
    post: operation({
      open: true,
      summary: "A short token. Demo mode only, from this server's own pages on this machine.",
      body: {
        type: "object",
        required: ["role"],
        properties: { role: { enum: ["rider", "driver", "ops"] }, tripId: { type: "string" } },
      },
      answers: answer("The token.", {
        type: "object",
        properties: token,
      }),
    }),
  },
  "/demo/trips": { get: operation(demoTrips), post: operation(demoTrips) },
  "/demo/join": {
    post: operation({
      open: true,
      summary: "Lets a phone in as a driver. Demo mode with listen.lan only.",
      body: body({ code: { type: "string" } }),
      answers: answer("The driver, a short token, and the secret for further ones.", {
        type: "object",
        properties: { driverId: { type: "string" }, ...token, refresh: { type: "string" } },
      }),
    }),
  },
  "/demo/refresh": {
    post: operation({
      open: true,
      summary: "A further token of a phone that joined.",
      body: body({ refresh: { type: "string" } }),
      answers: answer("The token.", {
        type: "object",
        properties: { role: { enum: ["driver", "rider"] }, ...token },
      }),
    }),
  },
  "/demo/trip": {
    post: operation({
      summary: "The running trip of a phone that joined, or a new one to some 600 m away.",
      body: body({
        position: {
          type: "object",
          required: ["latitudeDeg", "longitudeDeg"],
          properties: { latitudeDeg: { type: "number" }, longitudeDeg: { type: "number" } },
        },
      }),
      answers: answer("The trip, and what its rider needs to watch it.", {
        type: "object",
        properties: {
          tripId: { type: "string" },
          rider: { type: "object", properties: { ...token, refresh: { type: "string" } } },
        },
      }),
    }),
  },
};

const whose = [
  query("userKind", "Whose; absent for one's own.", { enum: ["driver", "rider"] }),
  query("userId", "The user's id; with userKind.", { type: "string" }),
];
const sessions = {
  "/v1/sessions": {
    get: operation({
      summary:
        "Sessions with a stream open now, newest first (their user; roles support and admin say whose).",
      parameters: whose,
      answers: answer("The sessions.", message("ListSessionsResponse")),
    }),
  },
  "/v1/sessions/{id}": {
    delete: operation({
      summary: "Revokes a session and the sign-in behind it (their user; role admin says whose).",
      parameters: [
        { ...tripId, description: "sessionId of the list.", schema: { type: "string" } },
        ...whose,
      ],
      answers: answer("How many streams are being closed.", message("RevokeSessionResponse")),
    }),
  },
};

const MESSAGE_NAMES = [
  "CreateTripRequest",
  "UpdateTripRequest",
  "SetTripStatusRequest",
  "CancelTripRequest",
  "SetLocationSharingRequest",
  "ListTripsResponse",
  "GetLiveTripResponse",
  "GetTrackResponse",
  "ListTripEventsResponse",
  "PublishBatchRequest",
  "PublishBatchResponse",
  "LocateResponse",
  "ListSessionsResponse",
  "RevokeSessionResponse",
];

/** The REST face as OpenAPI 3.1. Kept by hand; a test holds it against the routes that the server has. */
export const openApiDocument = {
  openapi: "3.1.0",
  info: {
    title: "Bimride live tracking",
    version: "1",
    description: `Bodies and answers are ${MESSAGES}. The same methods are there for Connect and gRPC-Web clients under /bimride.tracking.v1.<Service>/<Method>.`,
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  security: [{ bearer: [] }],
  paths: { ...trips, ...live, ...record, ...placement, ...sessions, ...ingest, ...machine, ...demo },
  components: {
    securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    schemas: {
      ...Object.fromEntries(
        MESSAGE_NAMES.map((name) => [name, { type: "object", description: `bimride.tracking.v1.${name}` }]),
      ),
      TripAnswer: {
        type: "object",
        required: ["trip"],
        properties: { trip: { type: "object", description: "bimride.tracking.v1.Trip" } },
      },
      Readiness: {
        type: "object",
        required: ["ready", "failing"],
        properties: {
          ready: { type: "boolean" },
          failing: {
            type: "array",
            items: { type: "object", properties: { name: { type: "string" }, reason: { type: "string" } } },
          },
        },
      },
      Failure: {
        type: "object",
        required: ["code", "message", "field", "retryable"],
        properties: {
          code: { enum: Object.keys(ERRORS) },
          message: { type: "string", description: "For people; never match on it." },
          field: { type: "string", description: "The field at fault; empty where none is." },
          retryable: { type: "boolean" },
        },
      },
    },
  },
};
