import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImportGraph } from "./import-graph.ts";
import { type ImportTable, parseImportTable } from "./import-table.ts";
import { isTest } from "./source-files.ts";

/** Where the import table stands. */
export const TABLE_PATH = "docs/ARCHITECTURE.md";

/** Imports under `root` that the table of docs/ARCHITECTURE.md does not allow, and holes in the table itself. */
export async function forbiddenImports(root: string, graph: ImportGraph): Promise<string[]> {
  const table = parseImportTable(await readFile(join(root, TABLE_PATH), "utf8"));
  const tests = testFiles(graph);
  return [...table.problems, ...tableHoles(table, graph, tests), ...violations(table, graph, tests)];
}

/** Tests by their names, and what only tests import: their helpers. */
function testFiles(graph: ImportGraph): ReadonlySet<string> {
  const importers = new Map<string, string[]>();
  for (const [path, targets] of graph) {
    for (const target of targets) importers.set(target, [...(importers.get(target) ?? []), path]);
  }
  const tests = new Set([...graph.keys()].filter(isTest));
  const isHelper = (path: string) =>
    !tests.has(path) && (importers.get(path)?.every((importer) => tests.has(importer)) ?? false);
  for (
    let found = [...graph.keys()].filter(isHelper);
    found.length > 0;
    found = [...graph.keys()].filter(isHelper)
  ) {
    for (const path of found) tests.add(path);
  }
  return tests;
}

/** Every file that is no test needs a row, and each folder of internal one of its own; a row needs a file. */
function tableHoles(table: ImportTable, graph: ImportGraph, tests: ReadonlySet<string>): string[] {
  const problems = new Set<string>();
  for (const path of graph.keys()) {
    const row = rowOf(table, path);
    const folder = /^internal\/[^/]+(?=\/)/.exec(path)?.[0];
    if (folder !== undefined && !table.rows.has(folder))
      problems.add(`${folder} has no row in ${TABLE_PATH}`);
    if (row === undefined && !tests.has(path) && path.includes("/"))
      problems.add(`${path} has no row in ${TABLE_PATH}`);
  }
  for (const row of table.rows.keys()) {
    if (![...graph.keys()].some((path) => covers(row, path)))
      problems.add(`${TABLE_PATH} has a row for ${row}, which holds no source`);
  }
  return [...problems];
}

/** Tests may import anything; nothing else may import a test that its row does not name; the rest goes by the table. */
function violations(table: ImportTable, graph: ImportGraph, tests: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  for (const [path, targets] of graph) {
    const row = rowOf(table, path);
    if (tests.has(path) || row === undefined) continue;
    for (const target of targets) {
      if (mayImport(table, row, target, tests.has(target))) continue;
      problems.push(
        tests.has(target)
          ? `${path} imports ${target}, which only tests may`
          : `${path} imports ${target}; ${row} may not`,
      );
    }
  }
  return problems;
}

/** A test is no part of the folder that it lies in: a row allows it only where it names a folder of test/. */
function mayImport(table: ImportTable, row: string, target: string, isOfTests: boolean): boolean {
  const allowed = table.rows.get(row) ?? [];
  if (isOfTests) return allowed.some((named) => named.startsWith("test/") && covers(named, target));
  return rowOf(table, target) === row || allowed.some((named) => covers(named, target));
}

/** The row that is closest to the file: its own, else that of the nearest folder above. */
function rowOf(table: ImportTable, path: string): string | undefined {
  let best: string | undefined;
  for (const row of table.rows.keys()) {
    if (covers(row, path) && (best === undefined || row.length > best.length)) best = row;
  }
  return best;
}

/** `a/b` covers itself and all below it; `@scope/*` every package of the scope. */
function covers(pattern: string, target: string): boolean {
  if (pattern.endsWith("/*")) return target.startsWith(pattern.slice(0, -1));
  return target === pattern || target.startsWith(`${pattern}/`);
}
