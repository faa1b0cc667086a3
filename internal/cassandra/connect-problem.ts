import { errors, types } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";
import type { CassandraOptions } from "./options.ts";

/** What to run when the keyspace or its tables are missing or old. */
export const MIGRATE = "run `npm run -s bimctl -- migrate`";

/** What a failed first connection means for whoever set the options up. */
export function connectProblem(options: CassandraOptions, cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause;
  const where = options.contactPoints.join(", ");
  const found = causes(cause);
  const codes = found.map((error) => ("code" in error ? error.code : undefined));
  const has = (code: number) => codes.includes(code);
  if (found.some((error) => error instanceof errors.ArgumentError))
    return new EngineError(
      "cassandra.local_dc",
      `the Cassandra at ${where} has no node in the data centre ${options.localDataCenter}`,
      { cause },
    );
  if (found.some(isRefusal) || has(types.responseErrorCodes.badCredentials))
    return new EngineError("cassandra.user", `the Cassandra at ${where} refuses ${credentials(options)}`, {
      cause,
    });
  if (has(types.responseErrorCodes.unauthorized))
    return new EngineError("cassandra.user", `has no right to use the keyspace ${options.keyspace}`, {
      cause,
    });
  if (has(types.responseErrorCodes.invalid))
    return new EngineError(
      "cassandra.keyspace",
      `there is no keyspace ${options.keyspace} at ${where}: ${MIGRATE}`,
      { cause },
    );
  return tlsProblem(options, where, codes, cause);
}

function tlsProblem(
  options: CassandraOptions,
  where: string,
  codes: readonly unknown[],
  cause: unknown,
): EngineError {
  const named = codes.filter((code) => typeof code === "string");
  if (named.some((code) => CERTIFICATE_CODES.has(code)))
    return new EngineError(
      "cassandra.ca_file",
      `the certificate of the Cassandra at ${where} is not trusted`,
      {
        cause,
      },
    );
  // A node without TLS closes the connection at the first byte of a handshake, and one with TLS at one in plain text.
  if (
    options.tls &&
    named.some((code) => code.startsWith("ERR_SSL_") || code === "EPROTO" || code === "ECONNRESET")
  )
    return new EngineError("cassandra.tls", `the Cassandra at ${where} offers no TLS, or not ours`, {
      cause,
    });
  if (!options.tls && named.includes("ECONNRESET"))
    return new EngineError("cassandra.tls", `the Cassandra at ${where} wants TLS, or has no room for us`, {
      cause,
    });
  return new EngineError("cassandra.contact_points", `no Cassandra answers at ${where}`, { cause });
}

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

function isRefusal(error: Error): boolean {
  return error instanceof errors.AuthenticationError;
}

function credentials({ user }: CassandraOptions): string {
  return user === undefined ? "a connection without credentials" : "the credentials";
}

/** The error and those that it gathers from the nodes tried. */
function causes(error: unknown): Error[] {
  if (!(error instanceof Error)) return [];
  const inner = error instanceof errors.NoHostAvailableError ? Object.values(error.innerErrors ?? {}) : [];
  return [error, ...inner.filter((one) => one instanceof Error)];
}
