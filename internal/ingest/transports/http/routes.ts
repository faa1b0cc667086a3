import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { bearerToken } from "../../../auth/jwt.ts";
import type { Principal } from "../../../auth/principal.ts";
import { asBimrideError, BimrideError } from "../../../core/errors.ts";
import type { IngestGateway } from "../../gateway.ts";
import { traceparentOf } from "../../trace.ts";
import { decodeBatchCall, decodeJsonBatchCall, encodeBatchAnswer, encodeJsonBatchAnswer } from "../codec.ts";

/** Where batches are posted. */
export const FIXES_PATH = "/v1/fixes";
const PROTOBUF = "application/x-protobuf";
const JSON_TYPE = "application/json; charset=utf-8";
/** Some of it is on this gateway's disk only, for now. */
const ACCEPTED = 202;
const PAYLOAD_TOO_LARGE = 413;
const UNSUPPORTED_MEDIA_TYPE = 415;
const BAD_REQUEST = 400;
const INTERNAL_ERROR = 500;
/** With a 503, seconds. */
const RETRY_AFTER_S = 1;

/**
 * POST /v1/fixes: a PublishBatchRequest as JSON or protobuf, answered in kind: 200 with the verdicts, 202 when some are
 * BUFFERED, or the error's status with `{code, message, field, retryable}`. The token is checked before the body is read.
 */
export function ingestHttpRoutes(gateway: IngestGateway): FastifyPluginAsync {
  return async (fastify) => {
    const principals = new WeakMap<FastifyRequest, Principal>();
    const { maxJsonBodyBytes, maxMessageBytes } = gateway.limits;
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser(
      "application/json",
      { parseAs: "string", bodyLimit: maxJsonBodyBytes },
      (_request, body, done) => done(null, body),
    );
    fastify.addContentTypeParser(
      PROTOBUF,
      { parseAs: "buffer", bodyLimit: maxMessageBytes },
      (_request, body, done) => done(null, body),
    );
    fastify.setErrorHandler((error, _request, reply) => sendError(gateway, error, reply));
    fastify.post(
      FIXES_PATH,
      {
        onRequest: async (request) => {
          const token = bearerToken(request.headers.authorization);
          principals.set(request, await gateway.authenticate(token));
        },
      },
      (request, reply) => publish(gateway, principals.get(request), request, reply),
    );
  };
}

async function publish(
  gateway: IngestGateway,
  principal: Principal | undefined,
  { body, headers }: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (!principal) throw new BimrideError("TOKEN_MISSING");
  const traceparent = traceparentOf(headers.traceparent);
  const call = { principal, transport: "http", traceparent } as const;
  const { maxFixesPerBatch } = gateway.limits;
  const inProtobuf = Buffer.isBuffer(body);
  if (!inProtobuf && typeof body !== "string")
    throw new BimrideError("MESSAGE_INVALID", "The body is missing.");
  gateway.events.received("http", Buffer.byteLength(body));
  const { hello, batch } = inProtobuf
    ? decodeBatchCall(body, maxFixesPerBatch)
    : decodeJsonBatchCall(body, maxFixesPerBatch);
  const answer = await gateway.publishBatch(call, hello, batch);
  const { ack } = answer;
  if (ack.verdicts.some(({ code }) => code === "BUFFERED")) reply.code(ACCEPTED);
  if (ack.retryAfterMs > 0) reply.header("retry-after", Math.ceil(ack.retryAfterMs / 1_000));
  return inProtobuf
    ? reply.type(PROTOBUF).send(Buffer.from(encodeBatchAnswer(answer)))
    : reply.type(JSON_TYPE).send(encodeJsonBatchAnswer(answer));
}

function sendError(gateway: IngestGateway, cause: unknown, reply: FastifyReply): FastifyReply {
  const { error, httpStatus } = toHttpError(cause);
  gateway.refusal("http", error);
  if (httpStatus === UNSUPPORTED_MEDIA_TYPE) reply.header("accept-post", `application/json, ${PROTOBUF}`);
  if (error.rpcCode === "unauthenticated") reply.header("www-authenticate", "Bearer");
  if (error.rpcCode === "unavailable") reply.header("retry-after", RETRY_AFTER_S);
  const { code, message, field, retryable } = error;
  return reply.code(httpStatus).type(JSON_TYPE).send(JSON.stringify({ code, message, field, retryable }));
}

/** Errors of the vocabulary as they are; Fastify's own about the body by their status. */
function toHttpError(cause: unknown): { error: BimrideError; httpStatus: number } {
  if (!(cause instanceof BimrideError)) {
    const status = statusCodeOf(cause);
    if (status === PAYLOAD_TOO_LARGE)
      return { error: new BimrideError("MESSAGE_TOO_LARGE"), httpStatus: PAYLOAD_TOO_LARGE };
    if (status >= BAD_REQUEST && status < INTERNAL_ERROR) {
      const httpStatus = status === UNSUPPORTED_MEDIA_TYPE ? status : BAD_REQUEST;
      return { error: new BimrideError("MESSAGE_INVALID", undefined, { cause }), httpStatus };
    }
  }
  const error = asBimrideError(cause);
  return { error, httpStatus: error.httpStatus };
}

function statusCodeOf(cause: unknown): number {
  const status = cause instanceof Error && "statusCode" in cause ? cause.statusCode : undefined;
  return typeof status === "number" ? status : INTERNAL_ERROR;
}
