/**
 * `npm run dev:engines`: the real engines and all roles on this machine without Docker, with the demo city, data under
 * .bimride/engines, until Ctrl-C. `npm run dev:engines -- stop` ends all from another terminal, `-- only` starts the
 * engines alone.
 */
import { join } from "node:path";
import { EngineMissing } from "../test/kit/engines/engine.ts";
import { askToStop, HeldError } from "./dev-engines/hold.ts";
import { runDevEngines } from "./dev-engines/run-dev-engines.ts";
import type { DevEngines } from "./dev-engines/start-dev-engines.ts";
import { startRoles } from "./dev-engines/start-roles.ts";

const folder = join(new URL("..", import.meta.url).pathname, ".bimride", "engines");
const print = (line: string) => console.log(line);
const [command = "all", ...rest] = process.argv.slice(2);
/** Cars of the demo city, as many as `npm start` has. */
const CARS = 60;

if (rest.length > 0 || !["all", "only", "stop"].includes(command)) {
  console.error("usage: npm run dev:engines [-- stop | -- only]");
  process.exitCode = 2;
} else if (command === "stop") {
  const pid = await askToStop(folder);
  print(pid === undefined ? "nothing runs" : `stopped, it was process ${pid}`);
} else {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop.abort());
  try {
    const alongside = (engines: DevEngines) => startRoles(engines, { folder, print, cars: CARS });
    await runDevEngines({ folder, print, signal: stop.signal, ...(command === "all" ? { alongside } : {}) });
  } catch (error) {
    console.error(explain(error));
    process.exitCode = 1;
  }
}

function explain(error: unknown): string {
  if (error instanceof HeldError) return `${error.message}: end it with npm run dev:engines -- stop`;
  if (error instanceof AggregateError) return error.errors.map(explain).join("\n");
  if (error instanceof EngineMissing) return `${error.message} Or with Docker: docker compose up -d --wait`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
