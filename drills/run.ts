import { parseArgs } from "node:util";
import { machine } from "../bench/report.ts";
import type { Drill, DrillArgs, DrillReport, DrillResult } from "./drill.ts";
import { DRILLS } from "./drills.ts";
import { tableText } from "./table.ts";

const USAGE = `usage: npm run drill -- NAME …|all [options]
${DRILLS.map(({ name, shows }) => `  ${name.padEnd(18)}${shows}`).join("\n")}
options: --rate N      fixes/s that must be acked (500; kill-processor 2,000)
         --viewers N   live viewers (50)
         --kills N     faults of the drills that repeat theirs (kill-processor 10, kill-process 20)
         --seed N      of what is left to chance (1)
         --keep DIR    leave the processes' logs and data there
exit: 0 all ok, 1 one is not, 2 wrong usage; the last line of stdout is JSON`;

const OPTIONS = {
  rate: { type: "string" },
  viewers: { type: "string", default: "50" },
  kills: { type: "string" },
  seed: { type: "string", default: "1" },
  keep: { type: "string" },
} as const;

type Log = (line: string) => void;

/** Runs drills; what happens goes to stderr, the result to stdout. Returns the exit code. */
export async function runDrills(argv: readonly string[]): Promise<number> {
  const log: Log = (line) => process.stderr.write(`drill: ${line}\n`);
  const wanted = parse(argv);
  if (!wanted) return 2;
  const results: DrillResult[] = [];
  for (const drill of wanted.drills) {
    const result = await runOne(drill, wanted.args, log);
    results.push(result);
    for (const problem of result.problems ?? []) log(`${drill.name}: ${problem}`);
  }
  const ok = results.every((result) => result.ok);
  process.stderr.write(`${tableText(results)}\n* acks are not promised there\n`);
  const report: DrillReport = { schema: "bimride.drill/1", machine: machine(), drills: results, ok };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return ok ? 0 : 1;
}

function parse(argv: readonly string[]): { drills: readonly Drill[]; args: DrillArgs } | undefined {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
    const number = (text: string) => {
      const value = Number(text);
      if (!(value >= 1)) throw new RangeError(`${text} is not a number from 1`);
      return value;
    };
    const args = {
      rate: values.rate === undefined ? undefined : number(values.rate),
      viewers: number(values.viewers),
      kills: values.kills === undefined ? undefined : number(values.kills),
      seed: number(values.seed),
      keep: values.keep,
    };
    if (positionals.length === 0) throw new RangeError("which drill?");
    if (positionals.length === 1 && positionals[0] === "all") return { drills: DRILLS, args };
    const drills = positionals.map((name) => {
      const drill = DRILLS.find((each) => each.name === name);
      if (!drill) throw new RangeError(`no such drill: ${name}`);
      return drill;
    });
    return { drills, args };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    return undefined;
  }
}

/** A drill that throws is not ok. Whatever happens, Ctrl-C too, what it started is ended before this returns. */
async function runOne(drill: Drill, args: DrillArgs, log: Log): Promise<DrillResult> {
  await using owned = new AsyncDisposableStack();
  let running: Promise<unknown> = Promise.resolve();
  let ending: Promise<unknown> = Promise.resolve();
  const interrupt = (signal: NodeJS.Signals) => {
    log(`${signal}: ending what ${drill.name} started; once more ends it without tidying up`);
    process.removeListener("SIGINT", interrupt).removeListener("SIGTERM", interrupt);
    ending = owned
      .disposeAsync()
      .catch((error: unknown) => log(`not all could be ended: ${String(error)}`))
      // What was just being started ends as soon as it stands.
      .then(() => running.catch(() => undefined))
      .then(() => process.kill(process.pid, signal));
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const startedAtMs = Date.now();
  log(`${drill.name}: ${drill.shows}`);
  try {
    const result = drill.run({ args, owned, log });
    running = result;
    return await result;
  } catch (error) {
    log(
      `${drill.name} broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return brokenOff(drill.name, startedAtMs, error);
  } finally {
    process.removeListener("SIGINT", interrupt).removeListener("SIGTERM", interrupt);
    await ending; // after Ctrl-C this process is over there, and no other drill begins
  }
}

function brokenOff(name: string, startedAtMs: number, error: unknown): DrillResult {
  const problems = [`it broke off: ${error instanceof Error ? error.message : String(error)}`];
  const counts = { acked: 0, missing: 0, duplicated: 0, wentBack: 0, owners2: 0, gapMs: 0 };
  return { name, pid: 0, faultAt: new Date(startedAtMs).toISOString(), ...counts, ok: false, problems };
}
