import type { Reporter, TestModule } from "vitest/node";

/**
 * Names every skipped test with its reason once the run is over, so that a machine without a browser or without the
 * recorded drives never passes in silence.
 */
export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap(skippedIn);
    if (lines.length === 0) return;
    process.stdout.write(`\nSKIPPED ${lines.length} tests:\n${lines.map((line) => `  ${line}\n`).join("")}`);
  }
}

function skippedIn(module: TestModule): string[] {
  return [...module.children.allTests("skipped")].map((test) => {
    const result = test.result();
    const note = result.state === "skipped" ? result.note : undefined;
    return `${module.relativeModuleId} > ${test.fullName}${note === undefined ? "" : `: ${note}`}`;
  });
}
