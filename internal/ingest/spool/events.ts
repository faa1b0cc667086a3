import type { ErrorCode } from "../../core/errors.ts";

/** How much waits. @property oldestAtMs when the oldest was written, milliseconds since 1970; 0 when nothing waits */
export type SpoolDepth = { entries: number; bytes: number; oldestAtMs: number };

/**
 * What happens to a spool. `opened` comes first, with a way to ask for the depth; `damaged` is lost data (told to nobody
 * as durable, but told as BUFFERED before); `untidy` costs repeats after a restart, or that what was drained counts as
 * damaged then, nothing else.
 */
export type SpoolEvent =
  | { kind: "opened"; depth: () => SpoolDepth; entries: number; tornBytes: number }
  | { kind: "away"; code: ErrorCode; cause: unknown }
  | { kind: "back"; awayMs: number }
  | { kind: "spooled"; entries: number }
  | { kind: "drained"; waitedMs: number }
  | { kind: "drainRefused"; code: ErrorCode; cause: unknown }
  | { kind: "refused"; code: ErrorCode; cause: unknown }
  | { kind: "damaged"; entries: number }
  | { kind: "untidy"; cause: unknown };
