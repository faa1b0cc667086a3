import { existsSync } from "node:fs";
import { describe } from "vitest";
import { findProgram } from "./engines/find-program.ts";

/** Where Go's own installer puts it, which not every PATH knows. */
const INSTALLED = "/usr/local/go/bin/go";

/** The go command; undefined when there is none. */
export const goCommand = findProgram("go") ?? (existsSync(INSTALLED) ? INSTALLED : undefined);

/**
 * A suite that needs Go: skipped aloud where there is none, and with CI set the run fails. @param name with what it is
 * needed for
 */
export function describeWithGo(name: string, suite: () => void): void {
  if (goCommand !== undefined) {
    describe(name, suite);
    return;
  }
  if (process.env.CI) throw new Error(`${name}: there is no Go, and in CI these tests must run`);
  process.stderr.write(`\nSKIPPED ${name}: there is no Go. Install it from go.dev or your system.\n\n`);
  describe.skip(`${name} (no Go on this machine)`, suite);
}
