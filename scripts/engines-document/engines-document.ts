import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type EngineFacts, PORTS, type PortFacts } from "./facts.ts";
import { callsOf, contractTests } from "./suite-tests.ts";

/** Stands for a test whose suite no test file of the engine calls. */
export const MISSING = "the suite does not run against it";

/** Tests of the contract that an engine does not pass, and why. */
type Deviation = { reason: string; tests: readonly string[] };
/** An engine as the sources have it. */
type Engine = EngineFacts & { runsSuite: boolean; deviations: readonly Deviation[] };

const HEAD = `# Engines

<!-- Generated from scripts/engines-document/facts.ts, the contract suites and the engines' deviations by
     \`npm run generate\`. Do not edit. -->

What each engine means by the promises of its port, what it loses when, and which tests say so. The ports say what every
engine must ensure; their contract suites (\`contract.ts\` beside the port) are the same tests for each engine: ✓ marks that
the suite runs against it without leaving the test out, and where one is left out its reason stands instead. Engines are
chosen in \`internal/app/engines.ts\` by the setting \`engines\`: embedded (\`npm start\`) or real (the roles).

\`npm test\` runs the suites; those of real engines wherever the engines can be had, and it says so loudly where not. In CI
none is missing.
`;

const TAIL = `## What was measured of SQLite

A commit with \`synchronous=FULL\` took 0.2 ms at the median and 224 ms at worst on the disk of a 2-core machine, which
would block the event loop; so each database is written by a worker thread of its own, and appends that arrive meanwhile
share the next commit. Current numbers are in [BENCHMARKS.md](BENCHMARKS.md).

## What was measured of Cassandra

What \`commitlog_sync\` loses when a node is killed is in [OPERATIONS.md](OPERATIONS.md#cassandra).
`;

/** docs/ENGINES.md from the sources under `root`. Throws on a deviation that names no test of its contract. */
export async function enginesDocument(root: string): Promise<string> {
  const sections: string[] = [];
  for (const port of PORTS) sections.push(await sectionOf(root, port));
  return [HEAD, ...sections, TAIL].join("\n");
}

async function sectionOf(root: string, port: PortFacts): Promise<string> {
  const folder = join(root, port.folder);
  const tests = await testsOf(folder, port.suite);
  const engines = await Promise.all(port.engines.map((facts) => readEngine(folder, port.suite, facts)));
  for (const { name, deviations } of engines) {
    const unknown = deviations.flatMap((one) => one.tests).find((test) => !tests.includes(test));
    if (unknown !== undefined)
      throw new Error(`${port.folder}/${name}: no test of the contract is called ${JSON.stringify(unknown)}`);
  }
  const guarantees = table(
    ["engine", "`engines`", "durable means", "a restart loses", "at its bound"],
    engines.map(({ name, chosenBy, durable, loses, atBound }) => [
      ...[`\`${name}\``, chosenBy],
      ...[durable, loses, atBound],
    ]),
  );
  const suite = table(
    [`\`${port.suite}\``, ...engines.map(({ name }) => `\`${name}\``)],
    tests.map((test) => [test, ...engines.map((engine) => mark(engine, test))]),
  );
  return `## ${port.title}\n\n${guarantees}\n${tests.length > 0 ? `${suite}\n` : ""}`.trimEnd().concat("\n");
}

function mark({ runsSuite, deviations }: Engine, test: string): string {
  if (!runsSuite) return MISSING;
  return deviations.find(({ tests }) => tests.includes(test))?.reason ?? "✓";
}

/** The suite's tests from whichever contract file of the folder has it; none while there is no such file. */
async function testsOf(folder: string, suite: string): Promise<string[]> {
  for (const name of await namesIn(folder)) {
    if (!/contract\.ts$/.test(name)) continue;
    const tests = await contractTests(join(folder, name), suite);
    if (tests) return tests;
  }
  return [];
}

/** Runs the suite when a test file in the engine's folder calls it; what it hands over then are the deviations. */
async function readEngine(portFolder: string, suite: string, facts: EngineFacts): Promise<Engine> {
  const folder = join(portFolder, facts.name);
  const files = (await namesIn(folder)).filter((name) => name.endsWith(".test.ts"));
  const calls = (await Promise.all(files.map((name) => callsOf(join(folder, name), suite)))).flat();
  const handed = await Promise.all(
    calls.flat().map(async ({ name, from }) => (await import(pathToFileURL(from).href))[name] as unknown),
  );
  return { ...facts, runsSuite: calls.length > 0, deviations: handed.filter(isDeviations).flat() };
}

function isDeviations(value: unknown): value is Deviation[] {
  return (
    Array.isArray(value) && value.every((one) => typeof one?.reason === "string" && Array.isArray(one.tests))
  );
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return `${[line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n")}\n`;
}
