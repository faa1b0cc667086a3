import { parseArgs } from "node:util";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { systemClock } from "../../core/time.ts";
import { rebuildHistory } from "../../rebuild/history-rebuild.ts";
import { rebuildLatest } from "../../rebuild/latest-rebuild.ts";
import type { Asked } from "../../rebuild/range.ts";
import { type RebuildDeps, RebuildError } from "../../rebuild/rebuild-deps.ts";
import { type RebuildReport, reportText } from "../../rebuild/report.ts";
import { ENGINES, type EngineContext } from "../engines.ts";
import { NAME_REAL_ENGINES, openRegionContext } from "../region-engines.ts";
import { type Command, type Context, UsageError } from "./command.ts";
import { tellEngines } from "./engines-told.ts";
import { orComplain } from "./failures.ts";
import { regionArgument } from "./region-argument.ts";
import { timeArgument } from "./time-argument.ts";

const PROJECTIONS = ["history", "latest"] as const;
type Projection = (typeof PROJECTIONS)[number];
const DEFAULT_RATE = "10000";
const MAX_RATE = 1_000_000;

type Order = {
  asked: Asked;
  projection: Projection;
  dryRun: boolean;
  json: boolean;
  entriesPerSecond: number;
};

/** Makes a view what the log says, beside the running system, and reports what changed. */
export const rebuildCommand: Command = {
  usage: `[--region R] --from T|log [--to T] --projection ${PROJECTIONS.join("|")} [--dry-run] [--json] [--rate N] [--engines real] [--data DIR]`,
  summary:
    "makes a view what the log says from T on (2026-03-01T12:00:00Z, or a time ago like 2h), at most N entries a second, and reports what changed",
  async run(args, context) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...{ region: { type: "string" }, from: { type: "string" }, to: { type: "string" } },
        ...{ projection: { type: "string" }, rate: { type: "string", default: DEFAULT_RATE } },
        ...{ "dry-run": { type: "boolean", default: false }, json: { type: "boolean", default: false } },
        ...{ engines: { type: "string" }, data: { type: "string" } },
      },
    });
    const order = orderOf(values, context.nowMs());
    const flags = (["engines", "data"] as const).flatMap((flag) =>
      values[flag] === undefined ? [] : [`--${flag}`, values[flag]],
    );
    const settings = loadSettings(context.env, flags);
    return orComplain(context.complain, async () => {
      const { region, regions } = await regionArgument(settings, values.region);
      if (order.projection === "latest" && settings.engines === "embedded")
        throw new RebuildError(
          `with embedded engines the latest state lives in the memory of the process that serves it, which builds it from the log at its start: nothing to rebuild; ${NAME_REAL_ENGINES}`,
        );
      tellEngines(settings, context.complain);
      await using stack = new AsyncDisposableStack();
      const clock = { ...systemClock, now: context.nowMs };
      const engines = openRegionContext(stack, settings, region, regions, clock);
      const report = await rebuild(stack, settings, engines, order, context);
      context.print(order.json ? JSON.stringify(report) : reportText(report));
      return 0;
    });
  },
};

async function rebuild(
  stack: AsyncDisposableStack,
  settings: Settings,
  engines: EngineContext,
  { asked, projection, dryRun, entriesPerSecond }: Order,
  { complain }: Context,
): Promise<RebuildReport> {
  const { limits, clock } = engines;
  const log = stack.use(await ENGINES.log[settings.engines](engines));
  const deps: RebuildDeps = { log, limits, clock, entriesPerSecond, progress: complain };
  if (projection === "latest") {
    const latest = stack.use(await ENGINES.latest[settings.engines](engines));
    return rebuildLatest({ ...deps, latest }, asked, dryRun);
  }
  const history = await ENGINES.history[settings.engines](engines);
  const { historyStorePeriodMs: storePeriodMs } = settings;
  const alone = settings.engines === "embedded";
  return rebuildHistory({ ...deps, history, storePeriodMs, alone }, asked, dryRun);
}

type Given = {
  from?: string;
  to?: string;
  projection?: string;
  rate: string;
  "dry-run": boolean;
  json: boolean;
};

function orderOf(given: Given, nowMs: number): Order {
  const projection = PROJECTIONS.find((name) => name === given.projection);
  if (!projection) throw new UsageError(`--projection must be one of ${PROJECTIONS.join(", ")}`);
  if (given.from === undefined)
    throw new UsageError("--from is missing: a time, a time ago, or log for all of it");
  const fromMs = given.from === "log" ? undefined : timeArgument("--from", given.from, nowMs);
  const toMs = given.to === undefined ? undefined : timeArgument("--to", given.to, nowMs);
  if (fromMs !== undefined && fromMs > nowMs) throw new UsageError("--from lies in the future");
  if (toMs !== undefined && fromMs !== undefined && toMs < fromMs)
    throw new UsageError("--to lies before --from");
  const entriesPerSecond = /^\d{1,7}$/.test(given.rate) ? Number(given.rate) : Number.NaN;
  if (!(entriesPerSecond <= MAX_RATE))
    throw new UsageError(`--rate must be 0 (as fast as it goes) to ${MAX_RATE} entries per second`);
  return {
    asked: { fromMs, toMs },
    projection,
    dryRun: given["dry-run"],
    json: given.json,
    entriesPerSecond,
  };
}
