import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** How another terminal reaches the process that holds a folder. In running.json, readable by its owner alone. */
type Held = { readonly pid: number; readonly port: number; readonly token: string };

/** A folder that one process at a time holds, and that any other may ask it to give up. */
export type Hold = AsyncDisposable & {
  /** Aborted when somebody asks for the end. */
  readonly released: AbortSignal;
};

/** Another process holds the folder. */
export class HeldError extends Error {
  override readonly name = "HeldError";
}

const ASK_TIMEOUT_MS = 60_000;

/**
 * Holds the folder, which is made when missing. Whoever asks for the end (askToStop) hears back once the hold is disposed.
 * A process that died without a word leaves a note that nobody answers for: it counts as free. No process is ever ended
 * by its number.
 * @throws HeldError when somebody holds it
 */
export async function hold(folder: string): Promise<Hold> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const holder = await holderOf(folder);
  if (holder !== undefined) throw new HeldError(`the process ${holder.pid} runs here already`);

  const token = randomUUID();
  const release = new AbortController();
  const ended = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    if (request.headers.authorization !== token) return void response.writeHead(403).end();
    if (request.method === "GET") return void response.end("here");
    release.abort();
    void ended.promise.then(() => response.end("ended"));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const note: Held = { pid: process.pid, port: (server.address() as AddressInfo).port, token };
  await writeFile(noteIn(folder), JSON.stringify(note), { mode: 0o600 });
  return {
    released: release.signal,
    async [Symbol.asyncDispose]() {
      await rm(noteIn(folder), { force: true });
      ended.resolve();
      server.closeIdleConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/**
 * Asks the process that holds the folder to end, and waits until it has.
 * @returns its process number; undefined when nobody holds the folder
 */
export async function askToStop(folder: string): Promise<number | undefined> {
  const holder = await holderOf(folder);
  if (holder === undefined) return undefined;
  await ask(holder, "POST", ASK_TIMEOUT_MS);
  return holder.pid;
}

async function holderOf(folder: string): Promise<Held | undefined> {
  let note: Held;
  try {
    note = JSON.parse(await readFile(noteIn(folder), "utf8")) as Held;
  } catch {
    return undefined; // no note, or half of one by somebody who died over it
  }
  const here = await ask(note, "GET", 2_000).catch(() => false);
  return here ? note : undefined;
}

async function ask(holder: Held, method: "GET" | "POST", timeoutMs: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${holder.port}/`, {
    method,
    headers: { authorization: holder.token, connection: "close" },
    signal: AbortSignal.timeout(timeoutMs),
  });
  await response.text();
  return response.ok;
}

function noteIn(folder: string): string {
  return join(folder, "running.json");
}
