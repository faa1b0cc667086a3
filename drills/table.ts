import type { DrillResult } from "./drill.ts";

const HEAD = [
  "drill",
  "ok",
  "pid",
  "acked",
  "missing",
  "doubled",
  "back",
  "owners",
  "acked/s before",
  "during",
  "after",
  "gap ms",
  "partition gap ms",
];

/** The results as rows of text, the first of them the head. */
export function rowsOf(results: readonly DrillResult[]): string[][] {
  return [HEAD, ...results.map(rowOf)];
}

/** The results as a table for people. */
export function tableText(results: readonly DrillResult[]): string {
  const rows = rowsOf(results);
  const widths = HEAD.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows
    .map((row) => row.map((cell, at) => (at < 2 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))))
    .map((cells) => cells.join("  ").trimEnd())
    .join("\n");
}

function rowOf(result: DrillResult): string[] {
  const { ackedPerSecond, acksPromised, partitionGapMs } = result;
  const during = ackedPerSecond && `${ackedPerSecond.during}${acksPromised ? "" : " *"}`;
  return [
    result.name,
    result.ok ? "yes" : "NO",
    String(result.pid),
    String(result.acked),
    String(result.missing),
    String(result.duplicated),
    String(result.wentBack),
    String(result.owners2),
    String(ackedPerSecond?.before ?? ""),
    during ?? "",
    String(ackedPerSecond?.after ?? ""),
    String(result.gapMs),
    String(partitionGapMs ?? ""),
  ];
}
