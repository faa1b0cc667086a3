import { rename } from "node:fs/promises";
import { join } from "node:path";
import { ENGINES_FOLDER } from "../../test/kit/engines/find-program.ts";
import { missing, type Outcome, ready } from "./outcome.ts";
import { lastLines, runProgram } from "./run-program.ts";

const BIN = join(ENGINES_FOLDER, "bin");

/** A program that Go builds from a module of its proxy. */
export type GoProgram = {
  /** As the kit looks for it. */
  readonly name: string;
  /** Path of the package with version. */
  readonly source: string;
  /** As Go names what it builds, where that is another name. */
  readonly builtAs?: string;
};

/** Builds the program into .engines/bin, which takes a minute or so. */
export async function installWithGo({ name, source, builtAs = name }: GoProgram): Promise<Outcome> {
  const built = await runProgram("go", ["install", source], { GOBIN: BIN });
  const byHand = `install Go, then: go install ${source}`;
  if (built.missing) return missing(`${name}: missing, and there is no Go to build it with; ${byHand}`);
  if (!built.ok)
    return missing(`${name}: missing, and Go could not build it\n    ${lastLines(built.output)}`);
  if (builtAs !== name) await rename(join(BIN, builtAs), join(BIN, name));
  return ready(`${name}: fetched, ${source}`);
}
