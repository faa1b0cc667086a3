import { parseArgs } from "node:util";
import { loadSettings } from "../../config/settings.ts";
import { systemClock } from "../../core/time.ts";
import { skipGap } from "../../projections/skip-gap.ts";
import { ENGINES } from "../engines.ts";
import { openRegionContext } from "../region-engines.ts";
import { type Command, UsageError } from "./command.ts";
import { tellEngines } from "./engines-told.ts";
import { orComplain } from "./failures.ts";
import { regionArgument } from "./region-argument.ts";

const PROJECTIONS = ["history", "live"] as const;

/** Lets the partitions of a projection that lost their place in the log go on at the log's first entry. */
export const resumeCommand: Command = {
  usage: `[--region R] --projection ${PROJECTIONS.join("|")} [--dry-run] [--engines real] [--data DIR]`,
  summary:
    "lets partitions that stopped with CURSOR_TOO_OLD go on at the log's first entry, from their next start, and says what they lost",
  async run(args, { env, print, complain, nowMs }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...{ region: { type: "string" }, projection: { type: "string" } },
        ...{ "dry-run": { type: "boolean", default: false } },
        ...{ engines: { type: "string" }, data: { type: "string" } },
      },
    });
    const projection = PROJECTIONS.find((name) => name === values.projection);
    if (!projection) throw new UsageError(`--projection must be one of ${PROJECTIONS.join(", ")}`);
    const flags = (["engines", "data"] as const).flatMap((flag) =>
      values[flag] === undefined ? [] : [`--${flag}`, values[flag]],
    );
    const settings = loadSettings(env, flags);
    const dryRun = values["dry-run"];
    return orComplain(complain, async () => {
      const { region, regions } = await regionArgument(settings, values.region);
      tellEngines(settings, complain);
      await using stack = new AsyncDisposableStack();
      const clock = { ...systemClock, now: nowMs };
      const context = openRegionContext(stack, settings, region, regions, clock);
      const log = stack.use(await ENGINES.log[settings.engines](context));
      const snapshots = await ENGINES.snapshots[settings.engines](context);
      const deps = { log, snapshots, limits: context.limits };
      let gaps = 0;
      for (let partition = 0; partition < log.partitions; partition++) {
        const gap = await skipGap(deps, projection, partition, dryRun);
        if (!gap) continue;
        gaps++;
        const { cursor, first, lost } = gap;
        print(
          `partition ${partition}: read up to ${cursor}, the log begins at ${first}, lost at most ${lost} entries`,
        );
      }
      if (gaps === 0)
        print(`no partition of ${projection} lost its place in the log of region ${region.name}`);
      else if (dryRun) print(`${gaps} to let go on; nothing was changed`);
      else print(`${gaps} go on at the log's first entry once their processor is started again`);
      return 0;
    });
  },
};
