import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of a test's own. */
export type TempFolder = {
  readonly path: string;
  /** The path of a file or folder in it. */
  file(name: string): string;
  /** Removes it with all that is in it. */
  [Symbol.asyncDispose](): Promise<void>;
};

/** Makes an empty folder that is gone at the end of the scope: `await using folder = await tempFolder()`. */
export async function tempFolder(): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), "bimride-"));
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
