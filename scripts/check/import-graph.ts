import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { isSource, projectFiles } from "./source-files.ts";

/** Imports by importing file: project files as paths, packages by their name, Node's own modules as `node`. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** Reads every hand-written source under `root`. Type imports and dynamic ones count too. */
export async function readImportGraph(root: string): Promise<ImportGraph> {
  const sources = (await projectFiles(root)).filter(isSource);
  const graph = new Map<string, readonly string[]>();
  for (const path of sources) {
    graph.set(path, importsOf(path, await readFile(join(root, path), "utf8")));
  }
  return graph;
}

/** What one file imports; worker threads' `new URL("./x.ts", import.meta.url)` is an import too. */
export function importsOf(path: string, text: string): string[] {
  const named = ts.preProcessFile(text, true, true).importedFiles.map((found) => found.fileName);
  const workers = [...text.matchAll(/new URL\(\s*"(\.[^"]+\.tsx?)",\s*import\.meta\.url/g)].map(
    (found) => found[1]!,
  );
  return [...new Set([...named, ...workers].map((specifier) => resolve(path, specifier)))];
}

function resolve(path: string, specifier: string): string {
  if (specifier.startsWith(".")) return normalize(join(dirname(path), specifier));
  if (specifier.startsWith("node:")) return "node";
  const [scopeOrName, name] = specifier.split("/");
  return specifier.startsWith("@") ? `${scopeOrName}/${name}` : scopeOrName!;
}

/** Import cycles between files, each once, as `a → b → a`. Type-only imports count: a cycle of types is one too. */
export function findCycles(graph: ImportGraph): string[] {
  const done = new Set<string>();
  const onPath: string[] = [];
  const cycles: string[] = [];
  const visit = (path: string): void => {
    if (done.has(path)) return;
    const at = onPath.indexOf(path);
    if (at >= 0) {
      cycles.push([...onPath.slice(at), path].join(" → "));
      return;
    }
    onPath.push(path);
    for (const target of graph.get(path) ?? []) if (graph.has(target)) visit(target);
    onPath.pop();
    done.add(path);
  };
  for (const path of graph.keys()) visit(path);
  return cycles.map((cycle) => `import cycle: ${cycle}`);
}
