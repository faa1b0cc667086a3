import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A folder on a file system of its own, of a given size. Disposing unmounts and removes it. */
export type SmallDisk = AsyncDisposable & { readonly path: string };

/** Mounts a file system in memory; undefined where this user may not. */
export async function mountSmallDisk(bytes: number): Promise<SmallDisk | undefined> {
  const path = await mkdtemp(join(tmpdir(), "bimride-disk-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0700`, "tmpfs", path]);
  } catch {
    await rm(path, { recursive: true });
    return undefined; // no root, no mount, no Linux: the caller has another limit
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      await run("umount", [path]);
      await rm(path, { recursive: true });
    },
  };
}
