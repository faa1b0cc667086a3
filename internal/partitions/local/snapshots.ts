import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BimrideError } from "../../core/errors.ts";
import { checkSnapshotName, framed, unframed } from "../snapshot-frame.ts";
import type { Snapshots } from "../snapshots.ts";
import { removeLeftovers, replaceFile } from "./durable-file.ts";

/**
 * Snapshots as files of a folder, which is made when missing. Saves of one name happen one after another, so the last
 * call's content stays. Rejects with STORE_UNAVAILABLE when the disk refuses.
 */
export async function openFileSnapshots(folder: string): Promise<Snapshots> {
  await orUnavailable(async () => {
    await mkdir(folder, { recursive: true });
    await removeLeftovers(folder);
  });
  const underWay = new Map<string, Promise<void>>();

  return {
    async save(name, body) {
      const path = pathOf(folder, name);
      const content = framed(body);
      const before = underWay.get(name);
      const saving = orUnavailable(async () => {
        // Its own caller hears of a failure of the save before; this one only waits for its end.
        await before?.catch(() => {});
        await replaceFile(path, content);
      });
      underWay.set(name, saving);
      try {
        await saving;
      } finally {
        if (underWay.get(name) === saving) underWay.delete(name);
      }
    },

    async load(name) {
      const content = await readIfThere(pathOf(folder, name));
      return content && unframed(content);
    },
  };
}

function pathOf(folder: string, name: string): string {
  checkSnapshotName(name);
  return join(folder, `${name}.snapshot`);
}

function readIfThere(path: string): Promise<Buffer | undefined> {
  return orUnavailable(async () => {
    try {
      return await readFile(path);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  });
}

async function orUnavailable<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new BimrideError("STORE_UNAVAILABLE", "The folder of snapshots can't be used.", { cause });
  }
}
