/** One check. `find` answers with what is wrong, nothing when all is well. */
export type Step = { name: string; find: () => Promise<readonly string[]> };

/** Most problems that one step shows. */
const SHOWN = 40;

/**
 * Runs all steps, `width` at a time, and reports each as it ends: what runs now on a terminal, plain lines elsewhere.
 * @returns how many steps found something
 */
export async function runSteps(
  steps: readonly Step[],
  output: { write(text: string): unknown; isTTY?: boolean },
  width: number,
): Promise<number> {
  const waiting = [...steps];
  const running = new Set<string>();
  let failed = 0;
  const status = () => {
    if (output.isTTY) output.write(`\r\x1b[2K${[...running].map((name) => `… ${name}`).join("  ")}`);
  };
  const report = (line: string) => output.write(`${output.isTTY ? "\r\x1b[2K" : ""}${line}\n`);

  const work = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      running.add(step.name);
      status();
      const startedAt = performance.now();
      const problems = await step
        .find()
        .catch((error: unknown) => [`the check itself failed: ${String(error)}`]);
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
      running.delete(step.name);
      report(`${problems.length === 0 ? "ok  " : "FAIL"} ${step.name} (${seconds} s)`);
      for (const problem of problems.slice(0, SHOWN)) report(`     ${problem}`);
      if (problems.length > SHOWN) report(`     … and ${problems.length - SHOWN} more`);
      if (problems.length > 0) failed++;
      status();
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  return failed;
}
