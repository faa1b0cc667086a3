import { errors } from "@nats-io/transport-node";
import { EngineError } from "../core/engine-error.ts";
import type { NatsOptions } from "./options.ts";

/** Node's and OpenSSL's codes of a certificate that is not trusted, not for this host or out of date. */
const CERTIFICATE_CODES = new Set([
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REVOKED",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "INVALID_CA",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** What a failed first connection means for whoever set the options up. */
export function connectProblem(options: NatsOptions, cause: unknown): EngineError {
  const where = options.servers.join(", ");
  const chain = causes(cause);
  const codes = chain.map((error) => ("code" in error ? String(error.code) : ""));
  if (chain.some(isAuthorization)) {
    const setting = options.credentials ? "nats.creds_file" : "nats.user";
    const who = options.credentials || options.user ? "the credentials" : "a connection without credentials";
    return new EngineError(setting, `the NATS server at ${where} refuses ${who}`, { cause });
  }
  const isUntrusted = codes.some((code) => CERTIFICATE_CODES.has(code));
  if (isUntrusted && !options.tls)
    return new EngineError("nats.tls", `is false, but the NATS server at ${where} wants TLS`, { cause });
  if (isUntrusted)
    return new EngineError("nats.ca_file", `the certificate of the NATS server at ${where} is not trusted`, {
      cause,
    });
  if (options.tls && chain.some((error) => error instanceof errors.ConnectionError && codes.every(isEmpty)))
    return new EngineError("nats.tls", `the NATS server at ${where} offers no TLS`, { cause });
  if (codes.some((code) => code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_") || code === "EPROTO"))
    return new EngineError("nats.tls", `the TLS handshake with the NATS server at ${where} failed`, {
      cause,
    });
  if (options.credentials && chain.some((error) => !("code" in error) && !isConnection(error)))
    return new EngineError("nats.creds_file", "holds no credentials that NATS understands", { cause });
  return new EngineError("nats.servers", `no NATS server answers at ${where}`, { cause });
}

function isEmpty(code: string): boolean {
  return code === "";
}

function isAuthorization(error: Error): boolean {
  return error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError;
}

function isConnection(error: Error): boolean {
  return error instanceof errors.ConnectionError || error instanceof errors.TimeoutError;
}

/** The error and what caused it, at most ten deep. */
function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && chain.length < 10; at = at.cause) chain.push(at);
  return chain;
}
