import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildPackage } from "./build-package.ts";
import { CLIENT_PACKAGES } from "./client-packages.ts";

const run = promisify(execFile);

/** Builds every library and packs it into the folder. */
export async function packClients(root: string, folder: string): Promise<{ file: string; bytes: number }[]> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), "bimride-pack-"));
  const packed: { file: string; bytes: number }[] = [];
  try {
    for (const library of CLIENT_PACKAGES) {
      const built = join(work, library.name);
      await buildPackage(root, library, built);
      const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: built });
      const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
      const file = join(folder, filename);
      packed.push({ file, bytes: (await stat(file)).size });
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return packed;
}
