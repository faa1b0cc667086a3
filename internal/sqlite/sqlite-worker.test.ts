import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { BimrideError } from "../core/errors.ts";
import type { NotesOperations } from "./notes.worker.ts";
import { SqliteWorker } from "./sqlite-worker.ts";

const start = (path: string, entry = new URL("./notes.worker.ts", import.meta.url)) =>
  SqliteWorker.start<NotesOperations, string>({
    entry,
    name: "notes",
    data: path,
    toError: ({ kind, message }) => new BimrideError("STORE_UNAVAILABLE", `${kind}: ${message}`),
  });

describe("a SQLite worker", () => {
  test("greets, answers, and what it wrote is there for the next one", async () => {
    await using folder = await tempFolder();
    {
      const { worker, hello } = await start(folder.file("notes.db"));
      await using _ = worker;
      expect(hello).toBe("hello");
      expect(await worker.call("add", { id: 7, text: "seven" })).toBe(7);
    }
    const { worker } = await start(folder.file("notes.db"));
    await using _ = worker;
    expect(await worker.call("count", undefined)).toBe(1);
  });

  test("writes that arrive while it is busy share one commit", async () => {
    await using folder = await tempFolder();
    const { worker } = await start(folder.file("notes.db"));
    await using _ = worker;
    const busy = worker.call("pause", 100);
    await Promise.all(Array.from({ length: 50 }, (_, id) => worker.call("add", { id, text: "x" })));
    await busy;
    expect(await worker.call("commits", undefined)).toBeLessThan(5);
    expect(await worker.call("count", undefined)).toBe(50);
  });

  test("a write that fails leaves those of its group alone", async () => {
    await using folder = await tempFolder();
    const { worker } = await start(folder.file("notes.db"));
    await using _ = worker;
    const busy = worker.call("pause", 100);
    const results = await Promise.allSettled(
      [1, 2, 3, 2, 4].map((id, i) => worker.call("add", { id, text: i === 2 ? null : "x" })),
    );
    await busy;
    expect(results.map(({ status }) => status)).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "rejected",
      "fulfilled",
    ]);
    expect(results[3]).toMatchObject({ reason: { message: expect.stringContaining("conflict") } });
    expect(await worker.call("count", undefined)).toBe(3);
  });

  test("closing lets calls under way finish and refuses later ones", async () => {
    await using folder = await tempFolder();
    const { worker } = await start(folder.file("notes.db"));
    const adding = worker.call("add", { id: 1, text: "x" });
    await Promise.all([worker[Symbol.asyncDispose](), worker[Symbol.asyncDispose]()]);
    expect(await adding).toBe(1);
    await expect(worker.call("count", undefined)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(
      new DatabaseSync(folder.file("notes.db")).prepare("SELECT count(*) AS n FROM notes").get(),
    ).toEqual({ n: 1 });
  });

  test("an entry that can't start rejects", async () => {
    await using folder = await tempFolder();
    const broken = new URL(`data:text/javascript,${encodeURIComponent("throw new Error('planted')")}`);
    await expect(start(folder.file("notes.db"), broken)).rejects.toMatchObject({
      message: expect.stringContaining("planted"),
    });
    const silent = new URL("data:text/javascript,");
    await expect(start(folder.file("notes.db"), silent)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});
