import { EngineError } from "../../core/engine-error.ts";
import { BimrideError } from "../../core/errors.ts";
import { RebuildError } from "../../rebuild/rebuild-deps.ts";
import { DataFolderHeldError } from "../data-folder.ts";

const EXPECTED = [EngineError, BimrideError, RebuildError, DataFolderHeldError];

/** Runs what works on a deployment: what is wrong with that is a line and exit code 1, a fault of ours is thrown. */
export async function orComplain(
  complain: (line: string) => void,
  run: () => Promise<number>,
): Promise<number> {
  try {
    return await run();
  } catch (error) {
    if (!EXPECTED.some((kind) => error instanceof kind)) throw error;
    complain((error as Error).message);
    return 1;
  }
}
