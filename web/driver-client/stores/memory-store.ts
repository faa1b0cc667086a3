import type { FixStore, StoredFix, StoredSession } from "../fix-store.ts";

/** Keeps fixes as long as the object lives: for Node, for tests, and where a browser has no storage to give. */
export function memoryStore(): FixStore {
  let session: StoredSession | undefined;
  const fixes = new Map<string, StoredFix>();
  const keyOf = (sessionId: string, seq: number) => `${sessionId}/${seq}`;
  return {
    load: async () => ({ session, fixes: [...fixes.values()] }),
    async saveSession(next) {
      session = { ...next };
    },
    async change(put, remove) {
      for (const stored of put) fixes.set(keyOf(stored.sessionId, stored.fix.seq), stored);
      for (const { sessionId, seq } of remove) fixes.delete(keyOf(sessionId, seq));
    },
    close() {},
  };
}
