import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImportGraph } from "./import-graph.ts";
import { isSource, isTest, projectFiles } from "./source-files.ts";

const MAX_CMD_LINES = 40;
const BINARY = /\.(png|jpg|webp|ico|woff2?|pbf|binpb|gz|br|bin)$/;

/** Commands stay thin: at most 40 lines for each file of cmd/. */
export async function longCommands(root: string): Promise<string[]> {
  const problems: string[] = [];
  for (const path of (await projectFiles(root)).filter((file) => file.startsWith("cmd/") && isSource(file))) {
    const lines = (await readFile(join(root, path), "utf8")).trimEnd().split("\n").length;
    if (lines > MAX_CMD_LINES) problems.push(`${path} has ${lines} lines, ${MAX_CMD_LINES} are allowed`);
  }
  return problems;
}

/** What reads the environment outside internal/config. Tests and the scripts around the project may. */
export async function strayEnvironment(root: string): Promise<string[]> {
  const problems: string[] = [];
  const watched = (path: string) =>
    /^(internal|cmd|web|demo)\//.test(path) &&
    isSource(path) &&
    !isTest(path) &&
    !path.startsWith("internal/config/");
  for (const path of (await projectFiles(root)).filter(watched)) {
    if (/process\.env\b/.test(await readFile(join(root, path), "utf8"))) {
      problems.push(`${path} reads process.env: only internal/config may`);
    }
  }
  return problems;
}

/** The lock file must install from whatever registry is configured: no download addresses in it. */
export async function lockedAddresses(root: string): Promise<string[]> {
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { resolved?: string }>;
  };
  return Object.entries(lock.packages)
    .filter(([, entry]) => entry.resolved !== undefined && !entry.resolved.startsWith("file:"))
    .map(([name]) => `package-lock.json has a download address for ${name}`);
}

/** Bytes that have no business in text: NUL, carriage returns, blanks at line ends, a missing or doubled last newline. */
export async function strayBytes(root: string): Promise<string[]> {
  const problems: string[] = [];
  for (const path of (await projectFiles(root)).filter((file) => !BINARY.test(file))) {
    const problem = strayByte(path, await readFile(join(root, path)));
    if (problem !== undefined) problems.push(`${path} ${problem}`);
  }
  return problems;
}

function strayByte(path: string, content: Buffer): string | undefined {
  if (content.length === 0) return undefined;
  if (content.includes(0)) return "has a NUL byte";
  const text = content.toString("utf8");
  if (text.includes("\uFFFD")) return "is not UTF-8";
  if (text.includes("\r")) return "has carriage returns";
  if (path.startsWith("gen/") || path.endsWith(".json")) return undefined;
  if (!text.endsWith("\n")) return "does not end with a newline";
  if (text.endsWith("\n\n")) return "ends with empty lines";
  const line = text.split("\n").findIndex((candidate) => /[ \t]$/.test(candidate));
  return line < 0 ? undefined : `has blanks at the end of line ${line + 1}`;
}

/** Packages that some source imports although package.json does not name them: they are there by accident. */
export async function undeclaredPackages(root: string, graph: ImportGraph): Promise<string[]> {
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Manifest;
  const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }));
  const isDeclared = (target: string) =>
    target === "node" || declared.has(target) || declared.has(`@types/${target}`);
  return [...graph].flatMap(([path, targets]) =>
    targets
      .filter((target) => !isFile(target) && !isDeclared(target))
      .map((target) => `${path} imports ${target}, which package.json does not name`),
  );
}

type Manifest = { dependencies: Record<string, string>; devDependencies: Record<string, string> };

function isFile(target: string): boolean {
  return /\.\w+(\?\w+)?$/.test(target);
}
