import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FixBuffer } from "./fix-buffer.ts";
import type { StoredFix, StoredSession } from "./fix-store.ts";
import { Journal } from "./journal.ts";
import { capture } from "./position.ts";
import { memoryStore } from "./stores/memory-store.ts";

const fixOf = (seq: number) => capture({ latDeg: 57.7, lonDeg: 11.9 }, seq, 1_000 + seq);

type Step =
  | { do: "capture" }
  | { do: "live" }
  | { do: "take"; most: number }
  | { do: "settle" | "limit" | "buffer"; at: number }
  | { do: "lose" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ do: "capture" }) },
  fc.constant<Step>({ do: "live" }),
  fc.record({ do: fc.constant("take" as const), most: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ do: fc.constantFrom("settle" as const, "limit" as const, "buffer" as const), at: fc.nat() }),
  fc.constant<Step>({ do: "lose" }),
);

describe("the buffer", () => {
  test("keeps every fix until it is settled, gives each out once per link, and the newest first, whatever happens", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const buffer = new FixBuffer();
        const waiting = new Set<number>();
        const sent = new Set<number>();
        const buffered = new Set<number>();
        let seq = 0;
        const pick = (at: number) => [...sent][at % Math.max(1, sent.size)];
        for (const each of steps) {
          if (each.do === "capture") {
            buffer.add(fixOf(seq));
            waiting.add(seq++);
          } else if (each.do === "live") {
            const fix = buffer.takeOne(seq - 1);
            expect(fix !== undefined).toBe(waiting.delete(seq - 1));
            if (fix) sent.add(fix.seq);
          } else if (each.do === "take") {
            const expected = [...waiting].sort((a, b) => b - a).slice(0, each.most);
            expect(buffer.take(each.most).map((fix) => fix.seq)).toEqual(expected);
            for (const taken of expected) {
              waiting.delete(taken);
              sent.add(taken);
            }
          } else if (each.do === "lose") {
            buffer.giveBackAll();
            for (const back of [...sent, ...buffered]) waiting.add(back);
            sent.clear();
            buffered.clear();
          } else {
            const picked = pick(each.at);
            if (picked === undefined) continue;
            sent.delete(picked);
            if (each.do === "settle") expect(buffer.settle(picked)?.seq).toBe(picked);
            else if (each.do === "limit") {
              buffer.giveBack([picked]);
              waiting.add(picked);
            } else {
              buffer.markBuffered(picked);
              buffered.add(picked);
            }
          }
          expect(buffer.size).toBe(waiting.size + sent.size + buffered.size);
          expect(buffer.waiting).toBe(waiting.size);
          expect(buffer.buffered.toSorted()).toEqual([...buffered].toSorted());
        }
      }),
      { numRuns: 300 },
    );
  });

  test("makes room out of its older half, every second fix, and never out of what is on its way", () => {
    const buffer = new FixBuffer(Array.from({ length: 100 }, (_, seq) => fixOf(seq)));
    const onTheWay = buffer.take(10).map(({ seq }) => seq);
    const gone = buffer.thinOut();
    expect(gone).toEqual(Array.from({ length: 22 }, (_, i) => 2 * i + 1));
    expect(buffer.size).toBe(78);
    for (const seq of onTheWay) expect(buffer.settle(seq)).toBeDefined();
  });
});

describe("the journal", () => {
  test("gives no seq of a session twice, however often the process is killed, and has every fix that was open", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 1_700 }), { maxLength: 8 }), async (lives) => {
        const store = memoryStore();
        const given = new Set<string>();
        const open = new Set<string>();
        for (const captures of lives) {
          const { journal, fixes } = await Journal.open({
            store,
            random: Math.random,
            onFailed: expect.unreachable,
          });
          expect(new Set(fixes.map(({ sessionId, fix }) => `${sessionId}/${fix.seq}`))).toEqual(open);
          for (let i = 0; i < captures; i++) {
            let seq = journal.takeSeq();
            if (seq === undefined) {
              journal.renew();
              seq = journal.takeSeq()!;
            }
            const name = `${journal.sessionId}/${seq}`;
            expect(given.has(name)).toBe(false);
            given.add(name);
            open.add(name);
            journal.keep(fixOf(seq));
            if (i % 3 === 0) {
              journal.forget(journal.sessionId, [seq]);
              open.delete(name);
            }
            if (i % 100 === 0) await Promise.resolve();
          }
          // What is written is written; nothing says goodbye.
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
      { numRuns: 40 },
    );
  });

  test("goes on in memory under a new session when the store fails, and says so once", async () => {
    let session: StoredSession | undefined;
    let isFull = false;
    const store = {
      ...memoryStore(),
      load: async () => ({ session, fixes: [] as StoredFix[] }),
      async saveSession(next: StoredSession) {
        if (isFull) throw new Error("the disk is full");
        session = next;
      },
    };
    const failures: unknown[] = [];
    const { journal } = await Journal.open({
      store,
      random: Math.random,
      onFailed: (error) => failures.push(error),
    });
    const stored = session!;
    isFull = true;
    const seqs: number[] = [];
    for (let seq = journal.takeSeq(); seq !== undefined; seq = journal.takeSeq()) {
      seqs.push(seq);
      await Promise.resolve();
    }
    expect(Math.max(...seqs)).toBeLessThan(stored.firstFreeSeq);
    expect(journal.isPersistent).toBe(false);
    journal.renew();
    expect(journal.sessionId).not.toBe(stored.sessionId);
    expect(journal.takeSeq()).toBe(0);
    expect(failures).toHaveLength(1);
  });
});
