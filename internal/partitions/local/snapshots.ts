import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BimrideError } from "../../core/errors.ts";
import type { Snapshots } from "../snapshots.ts";
import { removeLeftovers, replaceFile } from "./durable-file.ts";

/** First bytes of a snapshot file, then the SHA-256 of the body, then the body. */
const MAGIC = Buffer.from("BRSNAP1\n");
const DIGEST_BYTES = 32;
const HEAD_BYTES = MAGIC.length + DIGEST_BYTES;
const NAME_PATTERN = /^[a-z0-9-]{1,64}$/;

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
      const content = Buffer.concat([MAGIC, digest(body), body]);
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
      if (!content || content.length < HEAD_BYTES) return undefined;
      const body = content.subarray(HEAD_BYTES);
      const intact =
        content.subarray(0, MAGIC.length).equals(MAGIC) &&
        content.subarray(MAGIC.length, HEAD_BYTES).equals(digest(body));
      return intact ? new Uint8Array(body) : undefined;
    },
  };
}

function pathOf(folder: string, name: string): string {
  if (!NAME_PATTERN.test(name)) throw new RangeError("a snapshot's name is 1 to 64 of a-z 0-9 -");
  return join(folder, `${name}.snapshot`);
}

function digest(body: Uint8Array): Buffer {
  return createHash("sha256").update(body).digest();
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
