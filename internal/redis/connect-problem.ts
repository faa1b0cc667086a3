import { EngineError } from "../core/engine-error.ts";
import { accessProblem, isAnswer } from "./failures.ts";
import { nodesText, type RedisOptions } from "./options.ts";

/** Codes of Node and OpenSSL for a certificate that is not trusted, not for this host or out of date. */
const CERTIFICATE_CODES =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA$|ERR_TLS_CERT_ALTNAME_INVALID$)/;
/** Codes of a peer that does not speak TLS, or no version in common. */
const HANDSHAKE_CODES = /^(ERR_SSL_|ERR_TLS_|EPROTO$)/;
/** First words of Redis's answers to wrong credentials, or to none where some are needed. */
const REFUSALS = /^(NOAUTH|WRONGPASS|ERR invalid password|ERR AUTH )/;
/** What ioredis says when a command's time is up. */
const SILENCE = "Command timed out";

/**
 * What a failed first connection means for whoever set the options.
 * @param reached true when the server took the TCP connection
 */
export function connectProblem(options: RedisOptions, cause: unknown, reached: boolean): EngineError {
  const where = nodesText(options);
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const message = cause instanceof Error ? cause.message : "";
  const problem = (setting: string, what: string) => new EngineError(setting, what, { cause });

  if (REFUSALS.test(message)) {
    if (options.user)
      return problem("redis.user", `the Redis server at ${where} refuses the user or password`);
    const what = options.password ? "the password" : "a connection without a password";
    return problem("redis.password_file", `the Redis server at ${where} refuses ${what}`);
  }
  if (CERTIFICATE_CODES.test(code))
    return problem("redis.ca_file", `the certificate of the Redis server at ${where} is not trusted`);
  if (isAnswer(cause)) return accessProblem(where, cause);
  if (options.tls && (reached || HANDSHAKE_CODES.test(code)))
    return problem("redis.tls", `the TLS handshake with the Redis server at ${where} failed`);
  if (message === SILENCE) return problem("redis.nodes", `the Redis server at ${where} does not answer`);
  if (reached)
    return problem(
      "redis.tls",
      `what answers at ${where} does not speak Redis in the clear; does it want TLS?`,
    );
  return problem("redis.nodes", `no Redis server answers at ${where}`);
}
