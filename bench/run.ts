import { parseArgs } from "node:util";
import { connections, LINK_KINDS } from "./cases/connections.ts";
import { drives } from "./cases/drives.ts";
import { history } from "./cases/history.ts";
import { latest } from "./cases/latest.ts";
import { log as logCase } from "./cases/log.ts";
import { river } from "./cases/river.ts";
import { DIRT_KINDS } from "./dirt.ts";
import { type CaseResult, report } from "./report.ts";
import { stages } from "./stages.ts";

const USAGE = `usage: npm run bench -- CASE [options] [--json] [--gate]
  river   --rate N --viewers N [--engines real|embedded --profile survives-a-crash|acked-on-disk --duration S --warm-up S --runs N]
          the whole river
  drives  [--sets a,b --intervals 1,4 --dirt jumps,noise,bias,drift --seeds 1,2,3]   recorded drives, scored
  stages  [--seconds S]                                              the pure stages on one core
  history --engines real|embedded [--parties N --runs N]             fixes into the history and back
  latest  --engines real|embedded [--parties N --runs N]             positions into the latest state
  log     --engines real|embedded [--profile … --entries N --window N --rate N --runs N]
          fixes into the log, in entries as a gateway makes them at the rate (100,000) and at 10,000, and back
  connections [--kinds grpc,websocket,mqtt,viewers --connections N --idle S]
          idle connections on a gateway and an edge, on the real engines: memory each, and a reconnect storm
exit: 0 measured, 1 could not measure, 2 wrong usage, 3 with --gate when a target is missed`;

const OPTIONS = {
  rate: { type: "string" },
  viewers: { type: "string", default: "100" },
  duration: { type: "string", default: "60" },
  "warm-up": { type: "string", default: "30" },
  runs: { type: "string", default: "3" },
  sets: { type: "string", default: "gsdc-mtv,gsdc-sjc-wls,comma2k19,kubicka" },
  intervals: { type: "string", default: "1,4" },
  dirt: { type: "string", default: "jumps,noise,bias,drift" },
  seeds: { type: "string", default: "1,2,3" },
  seconds: { type: "string", default: "10" },
  engines: { type: "string", default: "embedded" },
  profile: { type: "string", default: "survives-a-crash" },
  parties: { type: "string", default: "2000" },
  entries: { type: "string", default: "40000" },
  window: { type: "string", default: "512" },
  kinds: { type: "string", default: LINK_KINDS.join(",") },
  connections: { type: "string", default: "10000" },
  idle: { type: "string", default: "60" },
  json: { type: "boolean", default: false },
  gate: { type: "boolean", default: false },
} as const;

/** Runs one case; the report goes to stdout, what happens meanwhile to stderr. Returns the exit code. */
export async function runBench(argv: readonly string[]): Promise<number> {
  const log = (line: string) => process.stderr.write(`bench: ${line}\n`);
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    return 2;
  }
  const { name, run, values } = parsed;
  try {
    const result = report(name, await run(log));
    process.stdout.write(
      values.json ? `${JSON.stringify(result)}\n` : `${JSON.stringify(result, null, 2)}\n`,
    );
    return values.gate && result.targets.some((target) => !target.ok) ? 3 : 0;
  } catch (error) {
    log(`could not measure: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return 1;
  }
}

type Log = (line: string) => void;
type Run = (log: Log) => Promise<CaseResult>;
type Values = ReturnType<typeof readArguments>["values"];

/** The cases: each reads its options, throws a RangeError for those it can't use, and tells how to measure. */
const CASES: Readonly<Record<string, (values: Values) => Run>> = {
  river(values) {
    const args = {
      rate: number(values.rate ?? "500"),
      viewers: number(values.viewers),
      durationS: number(values.duration),
      warmUpS: number(values["warm-up"]),
      runs: number(values.runs),
      engines: engines(values.engines),
      profile: profile(values.profile),
    };
    return (log) => river(args, log);
  },
  drives(values) {
    const args = {
      sets: list(values.sets),
      intervalsS: list(values.intervals).map(number),
      dirt: DIRT_KINDS.filter((kind) => list(values.dirt).includes(kind)),
      seeds: list(values.seeds).map(number),
    };
    return (log) => drives(args, log);
  },
  stages(values) {
    const args = { seconds: number(values.seconds) };
    return (log) => stages(args, log);
  },
  history(values) {
    const args = storeArgs(values);
    return (log) => history(args, log);
  },
  latest(values) {
    const args = storeArgs(values);
    return (log) => latest(args, log);
  },
  connections(values) {
    const kinds = list(values.kinds).map((name) => linkKind(name));
    const args = { kinds, connections: number(values.connections), idleS: number(values.idle) };
    return (log) => connections(args, log);
  },
  log(values) {
    const args = {
      engines: engines(values.engines),
      profile: profile(values.profile),
      entries: number(values.entries),
      window: number(values.window),
      rate: number(values.rate ?? "100000"),
      runs: number(values.runs),
    };
    return (log) => logCase(args, log);
  },
};

function parse(argv: readonly string[]): { name: string; run: Run; values: Values } {
  const { values, positionals } = readArguments(argv);
  const [name, ...more] = positionals;
  const known = `the cases are ${Object.keys(CASES).join(", ")}`;
  if (name === undefined) throw new RangeError(`which case? ${known}`);
  if (!Object.hasOwn(CASES, name)) throw new RangeError(`no such case: ${name}; ${known}`);
  if (more.length > 0) throw new RangeError(`one case at a time, not also ${more.join(" ")}`);
  return { name, run: CASES[name]!(values), values };
}

function readArguments(argv: readonly string[]) {
  return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
}

function storeArgs(values: Values) {
  return { engines: engines(values.engines), parties: number(values.parties), runs: number(values.runs) };
}

function number(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new RangeError(`${text} is not a positive number`);
  return value;
}

function list(text: string): string[] {
  return text.split(",").filter((part) => part !== "");
}

function linkKind(text: string): (typeof LINK_KINDS)[number] {
  const kind = LINK_KINDS.find((one) => one === text);
  if (!kind) throw new RangeError(`${text} is none of ${LINK_KINDS.join(", ")}`);
  return kind;
}

function engines(text: string): "real" | "embedded" {
  if (text === "real" || text === "embedded") return text;
  throw new RangeError(`${text} is neither real nor embedded`);
}

function profile(text: string): "survives-a-crash" | "acked-on-disk" {
  if (text === "on-disk") return "acked-on-disk";
  if (text === "survives-a-crash" || text === "acked-on-disk") return text;
  throw new RangeError(`${text} is neither survives-a-crash nor acked-on-disk`);
}
