/**
 * `npm run dev:engines`: the real engines on this machine without Docker, with data under .bimride/engines, until Ctrl-C.
 * `npm run dev:engines -- stop` ends them from another terminal.
 */
import { join } from "node:path";
import { EngineMissing } from "../test/kit/engines/engine.ts";
import { askToStop, HeldError } from "./dev-engines/hold.ts";
import { runDevEngines } from "./dev-engines/run-dev-engines.ts";

const folder = join(new URL("..", import.meta.url).pathname, ".bimride", "engines");
const print = (line: string) => console.log(line);
const [command, ...rest] = process.argv.slice(2);

if (rest.length > 0 || (command !== undefined && command !== "stop")) {
  console.error("usage: npm run dev:engines [-- stop]");
  process.exitCode = 2;
} else if (command === "stop") {
  const pid = await askToStop(folder);
  print(pid === undefined ? "nothing runs" : `stopped, it was process ${pid}`);
} else {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop.abort());
  try {
    await runDevEngines({ folder, print, signal: stop.signal });
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
