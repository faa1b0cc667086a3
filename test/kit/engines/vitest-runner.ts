import { inject, type RunnerTestFile, type RunnerTestSuite, TestRunner, type TestRunnerConfig } from "vitest";
import { enginesNeededBy } from "./needs.ts";

type OnCollected = (files: RunnerTestFile[]) => unknown;

/**
 * Skips the files whose engine can't be had, hooks and all, with the reason as each test's note.
 *
 * Vitest's worker puts a reporting onCollected of its own onto the runner. The marks must be there before it reports, so
 * whatever is put there is wrapped.
 */
export default class EnginesRunner extends TestRunner {
  constructor(config: TestRunnerConfig) {
    super(config);
    let report: OnCollected | undefined;
    Object.defineProperty(this, "onCollected", {
      set: (given: OnCollected) => {
        report = given;
      },
      get: (): OnCollected | undefined => {
        const reported = report;
        if (reported === undefined) return undefined;
        return (files) => {
          files.forEach(skipWithoutEngine);
          return reported(files);
        };
      },
    });
  }
}

function skipWithoutEngine(file: RunnerTestFile): void {
  const engines = inject("engines");
  const missing = enginesNeededBy(file.filepath).flatMap((name) => engines[name].missing ?? []);
  if (missing.length > 0) skip(file, missing.join("; "));
}

function skip(suite: RunnerTestSuite, note: string): void {
  suite.mode = "skip";
  for (const task of suite.tasks) {
    task.mode = "skip";
    const result = { state: "skip" as const, note };
    if (task.type === "suite") skip(task, note);
    else task.result = result;
  }
}
