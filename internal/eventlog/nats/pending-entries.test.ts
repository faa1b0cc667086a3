import fc from "fast-check";
import { expect, test } from "vitest";
import { PendingEntries } from "./pending-entries.ts";

test("what waits is found by its token and told oldest first, however many wait and in whatever order they go", () => {
  const operation = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("add" as const), count: fc.nat(700) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("drop" as const), count: fc.nat(700) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("dropAll" as const), count: fc.constant(0) }) },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 20 }), fc.infiniteStream(fc.nat()), (operations, picks) => {
      const entries = new PendingEntries<{ token: number }>();
      const model = new Map<number, { token: number }>();
      for (const { kind, count } of operations) {
        for (let i = 0; kind === "add" && i < count; i++) {
          const entry = { token: entries.nextToken };
          entries.add(entry);
          model.set(entry.token, entry);
        }
        for (let i = 0; kind === "drop" && i < count; i++) {
          const token = picks.next().value! % (entries.nextToken + 2);
          entries.delete(token);
          model.delete(token);
        }
        if (kind === "dropAll") {
          for (const { token } of entries.values()) entries.delete(token);
          model.clear();
        }
        expect(entries.size).toBe(model.size);
        expect([...entries.values()]).toEqual([...model.values()]);
        for (let token = 0; token <= entries.nextToken; token += 97)
          expect(entries.get(token)).toBe(model.get(token));
      }
    }),
    { numRuns: 40 },
  );
});
