/** How an error maps outwards: the canonical RPC code (gRPC, Connect) and the HTTP status that goes with it. */
const RPC_TO_HTTP = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  already_exists: 409,
  aborted: 409,
  failed_precondition: 412,
  out_of_range: 400,
  resource_exhausted: 429,
  unavailable: 503,
  deadline_exceeded: 504,
  data_loss: 500,
  internal: 500,
} as const;
export type RpcCode = keyof typeof RPC_TO_HTTP;

type ErrorKind = { rpc: RpcCode; retryable: boolean; doc: string };
const kind = (rpc: RpcCode, retryable: boolean, doc: string): ErrorKind => ({ rpc, retryable, doc });

/** The closed vocabulary of errors. docs/ERRORS.md is generated from it. */
export const ERRORS = {
  // Messages
  MESSAGE_INVALID: kind(
    "invalid_argument",
    false,
    "The message is not valid protobuf or JSON, or a required part is missing.",
  ),
  MESSAGE_TOO_LARGE: kind(
    "resource_exhausted",
    false,
    "The message is larger than the limit of its transport.",
  ),
  FIELD_INVALID: kind(
    "invalid_argument",
    false,
    "A field is out of its documented range; the error names it.",
  ),
  PAGE_TOKEN_INVALID: kind("invalid_argument", false, "The page token is not one that this method gave out."),
  // Identity
  TOKEN_MISSING: kind("unauthenticated", false, "No bearer token came with the call."),
  TOKEN_INVALID: kind(
    "unauthenticated",
    false,
    "The token's signature, issuer, audience or claims are not acceptable.",
  ),
  TOKEN_EXPIRED: kind("unauthenticated", false, "The token has expired: get a fresh one."),
  SESSION_REVOKED: kind(
    "unauthenticated",
    false,
    "The session or the sign-in behind the token was revoked: sign in again, and begin a new session.",
  ),
  ROLE_FORBIDDEN: kind("permission_denied", false, "The token's role may not call this."),
  PARTY_MISMATCH: kind("permission_denied", false, "The message names another party than the token."),
  ORIGIN_FORBIDDEN: kind(
    "permission_denied",
    false,
    "The call came from another origin than this server's pages.",
  ),
  // Ingest
  HELLO_EXPECTED: kind("failed_precondition", false, "The first message of a stream must be Hello."),
  SESSION_ID_INVALID: kind(
    "invalid_argument",
    false,
    "The session id must be 8 to 64 characters of A-Z a-z 0-9 _ -.",
  ),
  TOPIC_FORBIDDEN: kind(
    "permission_denied",
    false,
    "MQTT: a party publishes only to its own v1/<kind>/<id>/fixes and subscribes only to its own v1/<kind>/<id>/down.",
  ),
  BATCH_EMPTY: kind("invalid_argument", false, "A batch needs at least one fix."),
  BATCH_TOO_LARGE: kind("invalid_argument", false, "Too many fixes in one batch: split it."),
  POSITION_INVALID: kind(
    "invalid_argument",
    false,
    "Latitude or longitude is missing, not a number or out of range.",
  ),
  POSITION_NULL_ISLAND: kind(
    "invalid_argument",
    false,
    "The position is exactly 0,0, which receivers report when they have none.",
  ),
  CAPTURED_TOO_OLD: kind(
    "invalid_argument",
    false,
    "The fix was captured longer ago than the log keeps (48 h).",
  ),
  CAPTURED_IN_FUTURE: kind(
    "invalid_argument",
    false,
    "The capture time lies in the future, also after clock-offset correction.",
  ),
  ACCURACY_INVALID: kind("invalid_argument", false, "Accuracy must be 0 to 100,000 m."),
  SPEED_INVALID: kind("invalid_argument", false, "Speed must be 0 to 150 m/s."),
  HEADING_INVALID: kind("invalid_argument", false, "Heading must be 0 to 360 degrees."),
  ALTITUDE_INVALID: kind("invalid_argument", false, "Altitude must be -1,000 to 20,000 m."),
  SEQ_INVALID: kind(
    "invalid_argument",
    false,
    "The sequence number is not an integer of 0 to 4,294,967,295.",
  ),
  RATE_LIMITED: kind(
    "resource_exhausted",
    true,
    "Too much in too short a time: wait as told and send again.",
  ),
  SUPERSEDED: kind("aborted", false, "Another session of the same party took over."),
  CLIENT_TOO_SLOW: kind("resource_exhausted", true, "The client does not read its answers: reconnect."),
  IDLE_TIMEOUT: kind("deadline_exceeded", true, "Nothing came for too long: reconnect."),
  // Trips
  NOT_FOUND: kind("not_found", false, "There is no such thing, or you may not see it."),
  TRIP_ENDED: kind("failed_precondition", false, "The trip is over."),
  TRANSITION_ILLEGAL: kind(
    "failed_precondition",
    false,
    "The trip's state machine does not allow this change; the message says why.",
  ),
  VERSION_CONFLICT: kind("aborted", true, "The trip changed meanwhile: read it again."),
  IDEMPOTENCY_CONFLICT: kind("already_exists", false, "The idempotency key was used with another content."),
  DRIVER_BUSY: kind("failed_precondition", false, "The driver has a running trip already."),
  // Watching
  WATCH_TOO_MANY_TRIPS: kind("invalid_argument", false, "At most 20 trips in one watch."),
  WATCH_TOO_MANY: kind(
    "resource_exhausted",
    true,
    "The node or the user has as many watches as it may have.",
  ),
  LIVE_ENDED: kind("not_found", false, "Live access ended 30 min after the trip."),
  NOT_SETTLED: kind(
    "failed_precondition",
    true,
    "The final record is not computed yet: about 10 min after the trip's end.",
  ),
  VIEWPORT_INVALID: kind(
    "invalid_argument",
    false,
    "The rectangle is not one: south above north, or out of range.",
  ),
  // Service
  LOG_UNAVAILABLE: kind("unavailable", true, "The log can't take records now; nothing was acknowledged."),
  LOG_FULL: kind("unavailable", true, "The log's disk is full; nothing was acknowledged."),
  STORE_UNAVAILABLE: kind(
    "unavailable",
    true,
    "A store can't be reached now, or has lost what is asked for and gets it anew: ask again.",
  ),
  CURSOR_TOO_OLD: kind(
    "data_loss",
    false,
    "A projection's cursor is older than the log's first record; it stopped rather than skip.",
  ),
  DRAINING: kind("unavailable", true, "This node is shutting down: reconnect, elsewhere if you can."),
  NO_LIVE_NODE: kind(
    "unavailable",
    true,
    "No gateway or edge is known to live there now: use the address that you have.",
  ),
  OVERLOADED: kind("unavailable", true, "This node is at a bound; try again later."),
  INTERNAL: kind("internal", false, "A fault of ours. It is counted and logged; please report it."),
} as const satisfies Record<string, ErrorKind>;
export type ErrorCode = keyof typeof ERRORS;

/** An error of the closed vocabulary. Its message may be shown to callers; its cause may not. */
export class BimrideError extends Error {
  override readonly name = "BimrideError";
  readonly code: ErrorCode;
  /** The field at fault, where one is, e.g. `fixes[3].position.latitude_deg`. */
  readonly field: string;

  /** @param message never contains coordinates, tokens or other people's ids; defaults to the code's documentation */
  constructor(
    code: ErrorCode,
    message: string = ERRORS[code].doc,
    options: { field?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.field = options.field ?? "";
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  get rpcCode(): RpcCode {
    return ERRORS[this.code].rpc;
  }

  get httpStatus(): number {
    return RPC_TO_HTTP[ERRORS[this.code].rpc];
  }
}

/** The error itself when it is of the vocabulary, else INTERNAL with the error as hidden cause. */
export function asBimrideError(error: unknown): BimrideError {
  return error instanceof BimrideError ? error : new BimrideError("INTERNAL", undefined, { cause: error });
}
