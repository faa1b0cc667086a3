import type { CapturedFix } from "./position.ts";

/** The session as it is kept beside its fixes. */
export type StoredSession = {
  sessionId: string;
  /** No seq from here on was ever given out: a process that starts again goes on with this one. */
  firstFreeSeq: number;
  /** The region that the gateway named last; empty at first. */
  region: string;
};

/** A fix that is not known to be durable, with the session that it is of. */
export type StoredFix = { sessionId: string; fix: CapturedFix };
export type StoredKey = { sessionId: string; seq: number };

/**
 * PORT: where a driver's unsent fixes are kept. Implementations must ensure: a promise that resolved means that the change
 * outlives the process, as far as the engine can (memory can't); changes take effect in the order in which they were
 * asked for; a put of a fix that is there, and a removal of one that is not, change nothing. Everything rejects when the
 * engine fails; the buffer then goes on without it. One driver uses a store at a time: its owner sees to that.
 */
export interface FixStore {
  /** Everything as it was left; no session on the first run. Called once, before everything else. */
  load(): Promise<{ session: StoredSession | undefined; fixes: StoredFix[] }>;
  /** Replaces the session; the fixes of the one before stay. */
  saveSession(session: StoredSession): Promise<void>;
  /** Keeps and forgets fixes, both or neither. */
  change(put: readonly StoredFix[], remove: readonly StoredKey[]): Promise<void>;
  /** Nothing is called afterwards. */
  close(): void;
}
