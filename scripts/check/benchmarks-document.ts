import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { DriveRow } from "../../bench/cases/drives.ts";
import type { BenchReport, Target } from "../../bench/report.ts";
import { drillsSection } from "./drills-section.ts";

/** Where recorded results are: one file per report, as `npm run bench -- CASE --json` prints it. */
const RESULTS = "bench/results";

const HEAD = `# Benchmarks

<!-- Generated from bench/results/*.json and drills/results/drills.json by \`npm run generate\`. Do not edit. -->

What \`npm run bench -- CASE --json\` measured, with everything (load generators too) on the machine named. To measure again:

\`\`\`sh
npm run -s bench -- river --rate 500 --viewers 100 --json > bench/results/river.json
npm run -s bench -- river --engines real --rate 200 --viewers 200 --json > bench/results/river-real-200.json
npm run -s bench -- river --engines real --rate 2000 --viewers 500 --json > bench/results/river-real-2000.json
npm run -s bench -- river --engines real --rate 2000 --viewers 500 --profile acked-on-disk --json > bench/results/river-real-2000-on-disk.json
npm run -s bench -- history --engines real --json > bench/results/history-real.json
npm run -s bench -- log --engines real --json > bench/results/log-real.json
npm run -s bench -- latest --engines real --json > bench/results/latest-real.json
npm run -s bench -- stages --json > bench/results/stages.json
npm run -s bench -- drives --json > bench/results/drives.json   # needs the recorded drives
npm run -s drill -- all > drills/results/drills.json   # half an hour
npm run generate
\`\`\`

The river's load generator has a heap of 3 GB, of which old objects are collected just before the measurement and seldom
meanwhile, so that its collections are not measured as the service's; everything else has Node's usual one. Load is open loop: a late send counts from when it was due. \`reach\` is what the design asks for; a target that is missed
says so and stays in the table.
`;

/** docs/BENCHMARKS.md from the recorded results under `root`. */
export async function benchmarksDocument(root: string): Promise<string> {
  const files = (await readdir(join(root, RESULTS)).catch(noFolder))
    .filter((name) => name.endsWith(".json"))
    .sort();
  const reports = await Promise.all(
    files.map(async (name) => JSON.parse(await readFile(join(root, RESULTS, name), "utf8")) as BenchReport),
  );
  const sections = reports.map((report, i) => sectionOf(basename(files[i]!, ".json"), report));
  const measured = sections.length > 0 ? sections : ["No result is recorded in this version.\n"];
  return [HEAD, ...measured, await drillsSection(root)].join("\n");
}

function noFolder(error: NodeJS.ErrnoException): string[] {
  if (error.code !== "ENOENT") throw error;
  return [];
}

function sectionOf(title: string, report: BenchReport): string {
  const { machine, versions } = report;
  const cpu = `${machine.cpu || "unnamed CPU"}, ${machine.cores} cores, ${machine.memGiB} GiB`;
  const software = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const how = `${cpu}; ${software.join(", ")}; seed ${report.seed}, median of ${report.runs}. Arguments: \`${JSON.stringify(report.args)}\`.`;
  const { rows } = report.results as { rows?: DriveRow[] };
  const body = rows === undefined ? plainResults(report) : driveResults(rows, report.targets);
  return `## ${title}\n\n${how}\n\n${body}`;
}

function plainResults({ results, targets }: BenchReport): string {
  const values = flatten(results).map(([name, value]) => [`\`${name}\``, value]);
  return `${targetTable(targets)}\n${table(["result", "value"], values)}`;
}

function targetTable(targets: readonly Target[]): string {
  if (targets.length === 0) return "";
  const rows = targets.map(({ name, reach, got, ok }) => [
    name,
    number(reach),
    number(got),
    ok ? "reached" : "**missed**",
  ]);
  return table(["target", "reach", "got", ""], rows);
}

/** Every drive; the same dirt under several seeds in one row with the worst of them. */
function driveResults(rows: readonly DriveRow[], targets: readonly Target[]): string {
  const groups = Map.groupBy(rows, (row) => [row.set, row.trace, row.everyS, kindOf(row)].join(" | "));
  const lines = [...groups].map(([key, group]) => {
    const worst = (pick: (row: DriveRow) => number | undefined) =>
      Math.max(...group.map((row) => pick(row) ?? Number.NaN));
    return [
      ...key.split(" | "),
      number(Math.min(...group.map((row) => row.sharePublished))),
      number(worst((row) => row.rawRmsM)),
      number(worst((row) => row.rmsM)),
      number(worst((row) => row.rawP95M)),
      number(worst((row) => row.p95M)),
      number(worst((row) => row.jumps)),
      number(worst((row) => row.wanderMPerMin)),
    ];
  });
  const missed = targets.filter((target) => !target.ok);
  const head = [
    "set",
    "drive",
    "every s",
    "dirt",
    "published",
    "raw RMS m",
    "RMS m",
    "raw p95 m",
    "p95 m",
    "jumps",
    "wander m/min",
  ];
  const verdict = `${targets.length - missed.length} of ${targets.length} targets reached.`;
  return `${verdict}\n\n${targetTable(missed)}\n${table(head, lines)}`;
}

function kindOf({ dirt }: DriveRow): string {
  return dirt === "" ? "none" : dirt.split(" ")[0]!;
}

function flatten(value: object, prefix = ""): [string, string][] {
  return Object.entries(value).flatMap(([name, inner]): [string, string][] => {
    const path = prefix + name;
    if (typeof inner === "object" && inner !== null) return flatten(inner, `${path}.`);
    return [[path, typeof inner === "number" ? number(inner) : String(inner)]];
  });
}

function number(value: number): string {
  if (!Number.isFinite(value)) return "";
  return value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 10 ? 3 : 1 });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}
