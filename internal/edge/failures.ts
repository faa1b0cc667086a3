import { Code, ConnectError } from "@connectrpc/connect";
import type { FastifyError } from "fastify";
import { BimrideError, type RpcCode } from "../core/errors.ts";

const RPC_TO_CONNECT: Record<RpcCode, Code> = {
  invalid_argument: Code.InvalidArgument,
  unauthenticated: Code.Unauthenticated,
  permission_denied: Code.PermissionDenied,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  aborted: Code.Aborted,
  failed_precondition: Code.FailedPrecondition,
  out_of_range: Code.OutOfRange,
  resource_exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  deadline_exceeded: Code.DeadlineExceeded,
  data_loss: Code.DataLoss,
  internal: Code.Internal,
};

/** Names of the metadata (headers of unary calls, trailers of streams) that carry an error's code, field and retryability. */
export const CODE_METADATA = "bimride-code";
export const FIELD_METADATA = "bimride-field";
export const RETRYABLE_METADATA = "bimride-retryable";

/** The error as Connect, gRPC-Web and gRPC clients get it: code and message in words, the RPC code, and the closed code as metadata. */
export function connectErrorOf(error: BimrideError): ConnectError {
  const metadata: Record<string, string> = {
    [CODE_METADATA]: error.code,
    [RETRYABLE_METADATA]: String(error.retryable),
  };
  if (error.field) metadata[FIELD_METADATA] = error.field;
  return new ConnectError(`${error.code}: ${error.message}`, RPC_TO_CONNECT[error.rpcCode], metadata);
}

/** What an HTTP answer says of an error. */
export type FailureBody = { code: string; message: string; field: string; retryable: boolean };

/** Status and body of an error on plain HTTP. A body over the limit is 413 there, as HTTP has a word for it. */
export function httpFailure(error: BimrideError): { status: number; body: FailureBody } {
  const { code, message, field, retryable } = error;
  return {
    status: code === "MESSAGE_TOO_LARGE" ? 413 : error.httpStatus,
    body: { code, message, field, retryable },
  };
}

/**
 * The error of the vocabulary for what Fastify and its plugins throw: their 4xx are the caller's fault and named,
 * anything else is INTERNAL with the error as hidden cause.
 */
export function failureOf(error: unknown): BimrideError {
  if (error instanceof BimrideError) return error;
  const { statusCode, code, validation } = error as Partial<FastifyError>;
  if (statusCode === 413) return new BimrideError("MESSAGE_TOO_LARGE");
  if (statusCode === 404) return new BimrideError("NOT_FOUND");
  if (statusCode === 429) return new BimrideError("RATE_LIMITED");
  if (statusCode === 503) return new BimrideError("DRAINING");
  if (validation) return new BimrideError("FIELD_INVALID", undefined, { field: fieldOf(validation) });
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return new BimrideError("MESSAGE_INVALID", "The body must be application/json.");
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new BimrideError("MESSAGE_INVALID");
  return new BimrideError("INTERNAL", undefined, { cause: error });
}

function fieldOf(validation: NonNullable<FastifyError["validation"]>): string {
  const first = validation[0];
  return first ? first.instancePath.replace(/^\//, "").replaceAll("/", ".") : "";
}
