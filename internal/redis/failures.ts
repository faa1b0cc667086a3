import { BimrideError } from "../core/errors.ts";

/** First words of Redis's answers that pass by themselves or by an operator's hand: the server is there, not usable. */
const UNUSABLE =
  /^(ASK|BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|MOVED|NOAUTH|NOPERM|NOREPLICAS|OOM|READONLY|TRYAGAIN|UNBLOCKED|UNKILLABLE|WRONGPASS|ERR max number of clients)/;

/** True for what the server itself answered, as opposed to trouble on the way. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** What a failed command means: STORE_UNAVAILABLE, or INTERNAL when Redis found the command itself at fault. */
export function commandFailure(error: unknown): BimrideError {
  if (error instanceof BimrideError) return error;
  const code = isAnswer(error) && !UNUSABLE.test(error.message) ? "INTERNAL" : "STORE_UNAVAILABLE";
  // Not the error itself: it carries the command's arguments, and those are people's places.
  const cause = new Error(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
  return new BimrideError(code, undefined, { cause });
}
