import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { EngineName } from "./engine.ts";
import { PROJECT } from "./find-program.ts";

/** The image that docker-compose.yml runs an engine from: tests run against the same. */
export function imageOf(engine: EngineName): string {
  const compose = parse(readFileSync(join(PROJECT, "docker-compose.yml"), "utf8"), { merge: true }) as {
    services: Record<EngineName, { image: string }>;
  };
  return compose.services[engine].image;
}
