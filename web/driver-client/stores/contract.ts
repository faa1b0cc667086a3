import { describe, expect, test } from "vitest";
import type { FixStore, StoredFix } from "../fix-store.ts";
import { capture } from "../position.ts";

/** A place for a store: opened again it has what was left there. */
export type StorePlace = { open(): Promise<FixStore> };

const POSITION = { latDeg: 57.7, lonDeg: 11.9, accuracyM: 4.5, source: "gnss" } as const;
const stored = (sessionId: string, seq: number): StoredFix => ({
  sessionId,
  fix: capture(POSITION, seq, 1_000),
});
const bySeq = (fixes: StoredFix[]) =>
  fixes.toSorted((a, b) => a.sessionId.localeCompare(b.sessionId) || a.fix.seq - b.fix.seq);

/** What every engine of {@link FixStore} must do. */
export function fixStoreContract(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(`${name} as a store of fixes`, () => {
    test("is empty at first", async () => {
      const store = await (await makePlace()).open();
      expect(await store.load()).toEqual({ session: undefined, fixes: [] });
      store.close();
    });

    test("has the session and every fix that was kept and not forgotten, whatever was closed in between", async () => {
      const place = await makePlace();
      const store = await place.open();
      await store.load();
      await store.saveSession({ sessionId: "session-1", firstFreeSeq: 1_000, region: "" });
      await store.change([stored("session-1", 0), stored("session-1", 1), stored("session-0", 1)], []);
      await store.change([stored("session-1", 2)], [{ sessionId: "session-1", seq: 1 }]);
      await store.saveSession({ sessionId: "session-1", firstFreeSeq: 2_000, region: "se1" });
      store.close();
      const again = await place.open();
      const { session, fixes } = await again.load();
      expect(session).toEqual({ sessionId: "session-1", firstFreeSeq: 2_000, region: "se1" });
      expect(bySeq(fixes)).toEqual([stored("session-0", 1), stored("session-1", 0), stored("session-1", 2)]);
      again.close();
    });

    test("takes a repeated put and the removal of what is not there", async () => {
      const store = await (await makePlace()).open();
      await store.load();
      await store.change([stored("session-1", 7)], [{ sessionId: "session-1", seq: 8 }]);
      await store.change([stored("session-1", 7)], [{ sessionId: "session-2", seq: 7 }]);
      expect((await store.load()).fixes).toEqual([stored("session-1", 7)]);
      store.close();
    });

    test("changes things in the order in which it was asked to, without being waited for", async () => {
      const store = await (await makePlace()).open();
      await store.load();
      const all = Array.from({ length: 200 }, (_, seq) => seq);
      await Promise.all([
        ...all.map((seq) => store.change([stored("session-1", seq)], [])),
        ...all.slice(0, 150).map((seq) => store.change([], [{ sessionId: "session-1", seq }])),
      ]);
      const { fixes } = await store.load();
      expect(bySeq(fixes).map(({ fix }) => fix.seq)).toEqual(all.slice(150));
      store.close();
    });
  });
}
