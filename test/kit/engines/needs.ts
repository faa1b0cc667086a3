import type { EngineName } from "./engine.ts";

/** All engines, in the order of messages. */
export const ENGINE_NAMES: readonly EngineName[] = ["nats", "redis", "cassandra"];

/** Which engines a test file needs, told by its path: that of its folder, else all. */
export function enginesNeededBy(testFile: string): readonly EngineName[] {
  const folder = /\/(nats|redis|cassandra)\/(?!.*\/(nats|redis|cassandra)\/)/.exec(testFile)?.[1];
  return folder === undefined ? ENGINE_NAMES : [folder as EngineName];
}
