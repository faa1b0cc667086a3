import { mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { BimrideError } from "../../core/errors.ts";
import type { Limits } from "../../core/limits.ts";
import type { Clock } from "../../core/time.ts";
import { replaceFile } from "../../partitions/local/durable-file.ts";
import { RevocationView } from "../revocation-view.ts";
import { parseRevocation, type Revocation, type Revocations } from "../revocations.ts";

export type LocalRevocationsOptions = {
  /** File of the revocations; made when missing. The data folder's lock keeps other processes away from it. */
  path: string;
  clock: Pick<Clock, "now">;
  limits: Pick<Limits, "maxRevocations">;
  onError(error: unknown): void;
};

/**
 * The revocations of a process that is alone with its data: a line of JSON each, appended and forced to the disk. The file
 * is written anew, without those that are over, at every start and after maxRevocations lines. Rejects with
 * STORE_UNAVAILABLE when it can't be used.
 */
export async function openLocalRevocations(options: LocalRevocationsOptions): Promise<Revocations> {
  const { path, clock, limits, onError } = options;
  const view = new RevocationView(clock, limits, onError);
  for (const revocation of await readAll(path)) view.add(revocation);
  const rewrite = () => replaceFile(path, view.held.map(lineOf).join(""));
  await orUnavailable(async () => {
    await mkdir(dirname(path), { recursive: true });
    await rewrite();
  });
  let lines = view.held.length;
  let writing: Promise<void> = Promise.resolve();

  const write = async (revocation: Revocation) => {
    if (lines >= limits.maxRevocations) {
      await rewrite();
      lines = view.held.length;
    }
    const before = lines;
    // Where this fails half a line may lie there: then the file is written anew before the next.
    lines = limits.maxRevocations;
    await using file = await open(path, "a");
    await file.appendFile(lineOf(revocation));
    await file.datasync();
    lines = before + 1;
  };
  return {
    revoke(revocation) {
      // Whoever asked for the one before hears of its failure; this one only waits for its end.
      writing = writing
        .catch(() => {})
        .then(() => view.checkRoom())
        .then(() => orUnavailable(() => write(revocation)))
        .then(() => view.add(revocation));
      return writing;
    },
    isRevoked: (signedIn) => view.isRevoked(signedIn),
    watch: (listener) => view.watch(listener),
    async [Symbol.asyncDispose]() {
      await writing.catch(() => {});
    },
  };
}

function lineOf({ user, signInId, sessionId, untilMs }: Revocation): string {
  return `${JSON.stringify({ user, signInId, sessionId, untilMs })}\n`;
}

/** A crash may leave half a line at the end: nobody was told that it holds. */
async function readAll(path: string): Promise<Revocation[]> {
  const text = await orUnavailable(() =>
    readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    }),
  );
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const revocation = parseRevocation(line);
      if (!revocation)
        throw new BimrideError("STORE_UNAVAILABLE", `The file of revocations is damaged: ${path}`);
      return revocation;
    });
}

async function orUnavailable<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new BimrideError("STORE_UNAVAILABLE", "The file of revocations can't be used.", { cause });
  }
}
