import { type DBSchema, openDB } from "idb";
import type { FixStore, StoredFix, StoredSession } from "../fix-store.ts";

interface Schema extends DBSchema {
  session: { key: "current"; value: StoredSession };
  fixes: { key: [sessionId: string, seq: number]; value: StoredFix };
}

const VERSION = 1;
const SESSION_KEY = "current";

/**
 * Keeps fixes in the browser's IndexedDB. Rejects where there is none to be had, e.g. in some private windows.
 * @param name of the database: one per driver, so that nobody sends another one's fixes
 */
export async function openIndexedDbStore(name: string): Promise<FixStore> {
  const db = await openDB<Schema>(name, VERSION, {
    upgrade(fresh) {
      fresh.createObjectStore("session");
      fresh.createObjectStore("fixes", { keyPath: ["sessionId", "fix.seq"] });
    },
    // A page of a later version wants the database: this one reads and writes no more, and goes on in memory.
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
  });
  return {
    async load() {
      const reading = db.transaction(["session", "fixes"]);
      const [session, fixes] = await Promise.all([
        reading.objectStore("session").get(SESSION_KEY),
        reading.objectStore("fixes").getAll(),
        reading.done,
      ]);
      return { session, fixes };
    },
    async saveSession(session) {
      await db.put("session", session, SESSION_KEY);
    },
    async change(put, remove) {
      const writing = db.transaction("fixes", "readwrite");
      await Promise.all([
        ...put.map((stored) => writing.store.put(stored)),
        ...remove.map(({ sessionId, seq }) => writing.store.delete([sessionId, seq])),
        writing.done,
      ]);
    },
    close: () => db.close(),
  };
}
