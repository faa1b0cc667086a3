import { randomUUID } from "node:crypto";
import { open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const TEMPORARY = ".part";

/**
 * Replaces the file's content so that a crash at any moment leaves the old content or the new one, whole, and the new
 * one once this has resolved: written beside it, forced to the disk, renamed, and the folder forced to the disk.
 */
export async function replaceFile(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = join(dirname(path), `${basename(path)}.${randomUUID()}${TEMPORARY}`);
  try {
    await using file = await open(temporary, "wx");
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await rename(temporary, path);
  await using folder = await open(dirname(path), "r");
  await folder.sync();
}

/** Removes what a crash in the middle of {@link replaceFile} left in the folder. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name.endsWith(TEMPORARY)) await rm(join(folder, name), { force: true });
}
