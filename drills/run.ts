import { parseArgs } from "node:util";
import { type DrillResult, killProcess } from "./kill-process.ts";

const USAGE = `usage: npm run drill -- NAME|all [options]
  kill-process  [--kills N --rate N --viewers N --min-acked N --seed N]   SIGKILL at random moments under load
exit: 0 all ok, 1 one is not, 2 wrong usage; the last line of stdout is JSON`;

const OPTIONS = {
  kills: { type: "string", default: "20" },
  rate: { type: "string", default: "500" },
  viewers: { type: "string", default: "50" },
  "min-acked": { type: "string", default: "10000" },
  seed: { type: "string", default: "1" },
} as const;

/** Runs drills; what happens goes to stderr, the result to stdout. Returns the exit code. */
export async function runDrills(argv: readonly string[]): Promise<number> {
  const log = (line: string) => process.stderr.write(`drill: ${line}\n`);
  let drills: (() => Promise<DrillResult>)[];
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
    const args = {
      kills: Number(values.kills),
      rate: Number(values.rate),
      viewers: Number(values.viewers),
      minAcked: Number(values["min-acked"]),
      seed: Number(values.seed),
    };
    if (Object.values(args).some((value) => !(value >= 0))) throw new RangeError("options take numbers");
    const known: Record<string, () => Promise<DrillResult>> = {
      "kill-process": () => killProcess(args, log),
    };
    const [name = ""] = positionals;
    drills = name === "all" ? Object.values(known) : known[name] ? [known[name]] : [];
    if (drills.length === 0) throw new RangeError(`no such drill: ${name || "(none)"}`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    return 2;
  }
  const results: DrillResult[] = [];
  for (const drill of drills) results.push(await drill());
  const ok = results.every((result) => result.ok);
  process.stdout.write(`${JSON.stringify({ schema: "bimride.drill/1", drills: results, ok })}\n`);
  return ok ? 0 : 1;
}
