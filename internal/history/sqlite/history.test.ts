import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { CONTRACT_CLOCK, historyContract } from "../contract.ts";
import { chunkOf, recordedFix } from "../test-data.ts";
import { openSqliteHistory } from "./history.ts";

historyContract("the SQLite history", async () => {
  const folder = await tempFolder();
  return {
    open: () => openSqliteHistory({ path: folder.file("history.db"), clock: CONTRACT_CLOCK }),
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
});

describe("the SQLite history", () => {
  test("a damaged file is named as such", async () => {
    await using folder = await tempFolder();
    await writeFile(folder.file("history.db"), "no database ".repeat(50));
    await expect(openSqliteHistory({ path: folder.file("history.db") })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("damaged"),
    });
  });

  test("at its size limit writes reject and reads go on, until trim made room", async () => {
    await using folder = await tempFolder();
    await using history = await openSqliteHistory({ path: folder.file("history.db"), maxBytes: 256 << 10 });
    const party = { kind: "driver" as const, id: "d1" };
    const chunk = (n: number) =>
      chunkOf(
        party,
        Array.from({ length: 60 }, (_, i) => recordedFix(n * 240_000 + i * 4_000, n * 60 + i)),
      );
    let stored = 0;
    const fill = async () => {
      for (; stored < 1_000; stored++) await history.putChunks([chunk(stored)]);
    };
    await expect(fill()).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("full"),
    });
    const query = { party, fromMs: 0, toMs: 1e9, limit: 10_000 };
    expect(await history.track(query)).toHaveLength(Math.min(10_000, stored * 60));
    await history.trim((stored - 1) * 240_000);
    await history.putChunks([chunk(stored)]);
    expect(await history.track(query)).toHaveLength(120);
  });
});
