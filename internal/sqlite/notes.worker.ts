import { workerData } from "node:worker_threads";
import { openDatabase } from "./database.ts";
import { type Answer, serve } from "./serve.ts";

/** A tiny service for the tests of this folder: notes by number, where text must not be null. */
export type NotesOperations = {
  add: (note: { id: number; text: string | null }) => Answer<number>;
  count: (argument: undefined) => Answer<number>;
  /** Takes a while, so that what comes meanwhile forms a group. */
  pause: (delayMs: number) => Answer<void>;
  commits: (argument: undefined) => Answer<number>;
};

let commits = 0;
serve(
  () => {
    const db = openDatabase({ path: String(workerData) }, [new URL("./notes.sql", import.meta.url)]);
    const add = db.prepare("INSERT INTO notes (id, text) VALUES (?, ?)");
    const count = db.prepare("SELECT count(*) AS count FROM notes");
    return {
      db,
      writes: {
        add({ id, text }: { id: number; text: string | null }) {
          add.run(id, text);
          return { value: id };
        },
      },
      reads: {
        count: () => ({ value: Number(count.get()?.count) }),
        commits: () => ({ value: commits }),
        pause(delayMs: number) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
          return { value: undefined };
        },
      },
      committed: () => void commits++,
    };
  },
  () => "hello",
);
