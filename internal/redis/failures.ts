import { EngineError } from "../core/engine-error.ts";
import { BimrideError } from "../core/errors.ts";

/** First words of Redis's answers that pass by themselves or by an operator's hand: the server is there, not usable. */
const UNUSABLE =
  /^(ASK|BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|MOVED|NOAUTH|NOPERM|NOREPLICAS|OOM|READONLY|TRYAGAIN|UNBLOCKED|UNKILLABLE|WRONGPASS|ERR max number of clients)/;
/** In an answer's text these may be somebody's place. */
const FRACTIONS = /-?\d+\.\d+/g;

/** True for what the server itself answered, as opposed to trouble on the way. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** What a failed command means: STORE_UNAVAILABLE, or INTERNAL when Redis found the command itself at fault. */
export function commandFailure(error: unknown): BimrideError {
  if (error instanceof BimrideError) return error;
  const code = isAnswer(error) && !UNUSABLE.test(error.message) ? "INTERNAL" : "STORE_UNAVAILABLE";
  // Not the error itself: it carries the command's arguments, and those are people's places.
  const cause = new Error(error instanceof Error ? error.message.replace(FRACTIONS, "…") : "");
  if (error instanceof Error) cause.name = error.name;
  return new BimrideError(code, undefined, { cause });
}

/** What it means for whoever set Redis up when a command that is needed fails right at the start. */
export function accessProblem(address: string, error: unknown): EngineError {
  const cause = error instanceof BimrideError ? error.cause : error;
  if (!isAnswer(cause))
    return new EngineError("redis.nodes", `the Redis server at ${address} went away`, { cause });
  const [words = ""] = cause.message.split("\n");
  if (cause.message.startsWith("NOPERM"))
    return new EngineError("redis.user", `may not do what is needed at ${address}, which says: ${words}`, {
      cause,
    });
  return new EngineError("redis.nodes", `the Redis server at ${address} says: ${words}`, { cause });
}
