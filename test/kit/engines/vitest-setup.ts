import type { TestProject } from "vitest/node";
import { type Engine, EngineMissing, type EngineName } from "./engine.ts";
import { findEngine } from "./find-engine.ts";
import { ENGINE_NAMES, enginesNeededBy } from "./needs.ts";
import type { SharedEngine } from "./shared.ts";

/**
 * Before the first test of the project "engines": starts, at the same time, one of each engine that a selected test file
 * needs. One that can't be had leaves its suites skipped, or ends the run with CI set.
 * @returns what stops them again
 */
export default async function startShared(project: TestProject): Promise<() => Promise<void>> {
  const needed = await neededEngines(project);
  const running: Engine[] = [];
  const stop = async () => {
    await Promise.all(running.splice(0).map((engine) => engine[Symbol.asyncDispose]()));
  };
  const outcomes = await Promise.allSettled(needed.map((name) => startOne(name, running)));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  const shared: Record<EngineName, SharedEngine> = { nats: {}, redis: {}, cassandra: {} };
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === "fulfilled") shared[needed[index]!] = outcome.value;
  }
  project.provide("engines", shared);
  return stop;
}

async function startOne(name: EngineName, running: Engine[]): Promise<SharedEngine> {
  try {
    const engine = await findEngine(name);
    running.push(engine);
    process.stdout.write(`engine ${name} ${engine.version}: ${engine.how}, ${engine.address}\n`);
    return { address: engine.address };
  } catch (error) {
    if (!(error instanceof EngineMissing)) throw error;
    const missing = error.message;
    if (process.env.CI) throw new Error(`${missing} In CI the engines' tests must run.`, { cause: error });
    process.stderr.write(`\nENGINE TESTS OF ${name.toUpperCase()} SKIPPED, ${missing}\n\n`);
    return { missing };
  }
}

/**
 * By the files that the run selects: `vitest run --project engines internal/latest/redis` starts no Cassandra. Vitest
 * keeps the command line's filters in a field that its types leave out; without it everything counts as selected.
 */
async function neededEngines(project: TestProject): Promise<EngineName[]> {
  const vitest: TestProject["vitest"] & { filenamePattern?: string[] } = project.vitest;
  const selected = await vitest.getRelevantTestSpecifications(vitest.filenamePattern);
  const files = selected.filter((each) => each.project.name === project.name).map((each) => each.moduleId);
  const needed = new Set(files.flatMap(enginesNeededBy));
  return ENGINE_NAMES.filter((name) => needed.has(name));
}
