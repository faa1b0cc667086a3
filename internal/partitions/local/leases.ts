import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { BimrideError } from "../../core/errors.ts";
import { type Clock, sleep, systemClock } from "../../core/time.ts";
import type { Lease, Leases } from "../lease.ts";
import { replaceFile } from "./durable-file.ts";

export type LocalLeasesOptions = {
  /** File of the last epochs; made when missing. The data folder's lock keeps other processes away from it. */
  path: string;
  partitions: number;
  clock: Pick<Clock, "now">;
  /** Longest wait at the end for listeners that store what is open, by the machine's clock. */
  handOverMs: number;
};

/**
 * The leases of a process that is alone with its data: it holds all partitions from the start until it is disposed.
 * The new epochs are on the disk before anybody sees them. Rejects with STORE_UNAVAILABLE when the file can't be used.
 */
export async function openLocalLeases(options: LocalLeasesOptions): Promise<Leases> {
  const { path, partitions, clock, handOverMs } = options;
  const previous = await readEpochs(path);
  const nowMs = Math.floor(clock.now());
  const epochs = Array.from({ length: partitions }, (_, i) => Math.max((previous[i] ?? 0) + 1, nowMs));
  // More partitions than asked for now keep their epochs for the time they are asked for again.
  await writeEpochs(path, [...epochs, ...previous.slice(partitions)]);
  let open = true;
  const watchers = new Set<(leases: readonly Lease[]) => void | Promise<void>>();
  const leases: readonly Lease[] = epochs.map((epoch, partition) => ({
    partition,
    epoch,
    valid: () => open,
  }));

  return {
    async held(onChange) {
      await onChange(open ? leases : []);
      watchers.add(onChange);
    },
    async [Symbol.asyncDispose]() {
      if (!open) return;
      const late = new AbortController();
      const told = Promise.allSettled([...watchers].map(async (onChange) => onChange([])));
      await Promise.race([told, sleep(systemClock, handOverMs, late.signal)]);
      late.abort();
      open = false;
      watchers.clear();
    },
  };
}

async function readEpochs(path: string): Promise<number[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw unusable(path, cause);
  }
  const epochs = text.split("\n").slice(0, -1).map(Number);
  if (!text.endsWith("\n") || epochs.some((epoch) => !Number.isSafeInteger(epoch) || epoch <= 0))
    throw unusable(path, new Error("its content is not a list of epochs"));
  return epochs;
}

async function writeEpochs(path: string, epochs: readonly number[]): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await replaceFile(path, epochs.map((epoch) => `${epoch}\n`).join(""));
  } catch (cause) {
    throw unusable(path, cause);
  }
}

function unusable(path: string, cause: unknown): BimrideError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `The file of partition epochs can't be used: ${path} (${why})`;
  return new BimrideError("STORE_UNAVAILABLE", message, { cause });
}
