import { envName } from "../../internal/config/setting.ts";
import { hold } from "./hold.ts";
import { type DevEngines, startDevEngines } from "./start-dev-engines.ts";

export type DevOptions = {
  /** Where the engines' data lies. */
  folder: string;
  print: (line: string) => void;
  /** Ends everything, as does askToStop from another process. */
  signal: AbortSignal;
  /** Starts what runs on the engines, when they serve; disposed before them. */
  alongside?: (engines: DevEngines) => Promise<Alongside>;
};

/** @property url of the pages, when there are some */
export type Alongside = AsyncDisposable & { readonly url?: string };

/**
 * Runs the engines, and what goes with them, until the signal or until another process asks for the end. Then all is
 * over: in reverse order, with the data kept.
 * @throws HeldError when they run already; EngineMissing when one can't be had
 */
export async function runDevEngines({ folder, print, signal, alongside }: DevOptions): Promise<void> {
  await using held = await hold(folder);
  const stop = AbortSignal.any([signal, held.released]);
  const stopped = new Promise<void>((resolve) => {
    stop.addEventListener("abort", () => resolve(), { once: true });
  });
  print("starting NATS, Redis and Cassandra");
  await using started = await startDevEngines(folder);
  if (stop.aborted) return;
  for (const { name, version, address } of started.engines) {
    print(`${name.padEnd(10)}${address.padEnd(18)}${version}`);
  }
  for (const [name, text] of Object.entries(started.settings)) print(`export ${envName(name)}=${text}`);
  await using roles = (await alongside?.(started)) ?? NOTHING;
  print(`ready ${roles.url ?? ""}`.trimEnd());
  print("Ctrl-C, or `npm run dev:engines -- stop` elsewhere, ends it");
  await stopped;
  print("stopping");
}

const NOTHING: Alongside = { [Symbol.asyncDispose]: () => Promise.resolve() };
