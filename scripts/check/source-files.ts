import { readdir } from "node:fs/promises";
import { join, relative } from "node:path";

const NOT_SOURCES: ReadonlySet<string> = new Set([
  "node_modules",
  ".git",
  ".bimride",
  ".engines",
  "coverage",
  "dist",
]);

/** Paths of all files of the project under `root`, relative to it, sorted; without what is installed or built. */
export async function projectFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  const pending = [root];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && !NOT_SOURCES.has(entry.name)) pending.push(path);
      if (entry.isFile()) found.push(relative(root, path));
    }
  }
  return found.sort();
}

/** Whether the path is TypeScript written by hand. */
export function isSource(path: string): boolean {
  return /\.tsx?$/.test(path) && !path.startsWith("gen/");
}

const TEST_NAMES =
  /(^|\/)([^/]*\.test|(contract|conformance)(-[^/]+)?|([^/]+-)?kit|(fake|test)-[^/]+)\.tsx?$/;

/**
 * Whether the path is a test or what only tests use, told by its name: `*.test.ts`, contract suites (`contract.ts`,
 * `conformance.ts`), test kits (`kit.ts`, `*-kit.ts`, `test-*.ts`), fakes (`fake-*.ts`) and all of test/. Nothing else may import these.
 */
export function isTest(path: string): boolean {
  return path.startsWith("test/") || TEST_NAMES.test(path);
}
