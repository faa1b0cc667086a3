import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Drill, DrillReport, DrillResult } from "../../drills/drill.ts";
import { DRILLS } from "../../drills/drills.ts";
import { rowsOf } from "../../drills/table.ts";

/** The recorded result: what `npm run drill -- all` prints. */
const RESULT = "drills/results/drills.json";

const HEAD = `## Drills

\`npm run drill -- NAME\`, or \`-- all\`, puts a deployment of its own (two gateways, three processors, two edges, the real
engines, all on this machine) under a steady load with live viewers, does it harm and compares what every driver was told
with what history holds, and what every reader of live state saw with what it and others saw before. \`drills/\` has them,
one a file; \`bench/load/checker.ts\` and \`live-ledger.ts\` say exactly what is counted.

Load: cars with one fix per second each, 5 % more than the 500 fixes/s that must be acked (2,000 in \`kill-processor\`), each
with a connection and a trip of its own; 50 viewers on 25 trips, so that two look at the same trip over different edges; a
reader of the whole bus; a reader of the latest state. \`kill-process\` is \`npm start\` with its embedded engines and one fix
per 4 s and car. To record a run:

\`\`\`sh
npm run -s drill -- all > ${RESULT}
npm run generate
\`\`\`
`;

const LEGEND = `missing: acked and not in history · doubled: more than once in history · back: a viewer, a store or the bus's reader saw
something older than before · owners: versions seen with two contents · gap: longest time without an update of any one
viewer, the second between two fixes of its car included · partition gap: longest time without one in a whole partition ·
\\*: acks are not promised while the log is away; drivers are told BUFFERED there, which does not count as acked.
`;

/** The drills' part of docs/BENCHMARKS.md, from the recorded result under `root` if there is one. */
export async function drillsSection(root: string): Promise<string> {
  const what = table([["drill", "what happens, and what must hold"], ...DRILLS.map(described)]);
  const text = await readFile(join(root, RESULT), "utf8").catch(noFile);
  if (text === undefined) return `${HEAD}\n${what}`;
  const report = JSON.parse(text.trimEnd().split("\n").at(-1)!) as DrillReport;
  const { cpu, cores, memGiB } = report.machine;
  const on = `Recorded on ${cpu || "an unnamed CPU"}, ${cores} cores, ${memGiB} GiB, load and engines on it too.`;
  return [HEAD, what, on, "", table(rowsOf(report.drills)), LEGEND, ...notes(report.drills)].join("\n");
}

function described({ name, shows }: Drill): string[] {
  return [`\`${name}\``, shows];
}

/** What single drills measured besides. */
function notes(results: readonly DrillResult[]): string[] {
  const lines = results.flatMap(({ name, takeOverMs, measured = {}, problems = [] }) => [
    ...(takeOverMs && takeOverMs.each.length > 0
      ? [`- \`${name}\`: take-over p95 ${takeOverMs.p95} ms (each: ${takeOverMs.each.join(", ")})`]
      : []),
    ...Object.entries(measured)
      .filter(([what]) => NOTED.has(what))
      .map(([what, value]) => `- \`${name}\`: ${NOTED.get(what)} ${value}`),
    ...problems.map((problem) => `- **\`${name}\`: ${problem}**`),
  ]);
  return [`${lines.join("\n")}\n`];
}

const NOTED: ReadonlyMap<string, string> = new Map([
  ["backMs", "ms until all was back"],
  ["caughtUpMs", "ms after it, at most, until verdicts had caught up"],
  ["newLeaderGapMs", "ms without updates until another server led the log"],
  ["fullAfterMs", "ms until the disk was full"],
  ["slowestDrainMs", "ms that the slowest drain took"],
  ["busStaleAfterWaking", "old messages on the bus after it woke, dropped by every reader"],
  ["plantedLossMissing", "missing after one fix was deleted"],
  ["plantedDuplicates", "doubled after one fix was read twice"],
  ["plantedOwners2", "owners after another content was published"],
  ["plantedWentBack", "readers that noticed an older position"],
]);

function noFile(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

function table(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  const [head = [], ...rest] = rows;
  return line(head) + line(head.map(() => "---")) + rest.map(line).join("");
}
