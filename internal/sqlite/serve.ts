import type { DatabaseSync } from "node:sqlite";
import { type MessagePort, parentPort, receiveMessageOnPort } from "node:worker_threads";
import { transaction } from "./database.ts";
import { type Fault, faultOf } from "./faults.ts";

/** What an operation gives back; buffers in `transfer` move instead of being copied. */
export type Answer<T> = { value: T; transfer?: ArrayBuffer[] };
/** The argument's type is the operation's own; SqliteWorker.call checks it on the other side. */
export type Operation = (argument: never) => Answer<unknown>;
export type Operations = Record<string, Operation>;

export type Service = {
  db: DatabaseSync;
  /** Run in the transaction of their group, answered after its commit. */
  writes: Operations;
  /** Run after the writes that arrived with them. */
  reads: Operations;
  /** The transaction of the writes since the last call is on the disk. */
  committed?(): void;
  /** It is undone: what the writes changed in memory must be as before. */
  rolledBack?(): void;
};

/** Main thread → worker. */
export type Request = { id: number; operation: string; argument: unknown };
/** Worker → main thread; the first message of all is a Greeting. */
export type Response = { id: number; value?: unknown; fault?: Fault };
export type Greeting = { ready: true; value: unknown } | { ready: false; fault: Fault };
/** Asks the worker to close the database and end. */
export const CLOSE = "close";

/**
 * Runs a worker's side of SqliteWorker: opens, greets with what `greet` returns, and serves. All requests that arrived
 * while the last group was worked on form the next group, and its writes share one commit: the slower the disk, the
 * larger the groups.
 */
export function serve(open: () => Service, greet: (service: Service) => unknown): void {
  const port = parentPort;
  if (!port) throw new Error("this file is the entry of a worker thread");
  let service: Service;
  try {
    service = open();
    port.postMessage({ ready: true, value: greet(service) } satisfies Greeting);
  } catch (error) {
    port.postMessage({ ready: false, fault: faultOf(error) } satisfies Greeting);
    return;
  }
  port.on("message", (first: Request) => {
    const group = [first];
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
      group.push(next.message);
    serveGroup(service, port, group);
    if (!group.some((request) => request.operation === CLOSE)) return;
    service.db.close();
    port.close();
  });
}

function serveGroup(service: Service, port: MessagePort, group: readonly Request[]): void {
  const writes = group.filter((request) => Object.hasOwn(service.writes, request.operation));
  if (writes.length > 0) runWrites(service, port, writes);
  for (const request of group) {
    const read = service.reads[request.operation];
    if (!read) continue;
    try {
      answer(port, request, read(request.argument as never));
    } catch (error) {
      refuse(port, request, error);
    }
  }
}

/** One transaction for all; when it fails each gets its own, so that one bad request does not fail its neighbours. */
function runWrites(service: Service, port: MessagePort, requests: readonly Request[]): void {
  let answers: Answer<unknown>[];
  try {
    answers = transaction(service.db, () =>
      requests.map((one) => service.writes[one.operation]!(one.argument as never)),
    );
  } catch (error) {
    service.rolledBack?.();
    if (requests.length === 1) refuse(port, requests[0]!, error);
    else for (const request of requests) runWrites(service, port, [request]);
    return;
  }
  service.committed?.();
  for (const [i, request] of requests.entries()) answer(port, request, answers[i]!);
}

function answer(port: MessagePort, request: Request, { value, transfer }: Answer<unknown>): void {
  port.postMessage({ id: request.id, value } satisfies Response, transfer ?? []);
}

function refuse(port: MessagePort, request: Request, error: unknown): void {
  port.postMessage({ id: request.id, fault: faultOf(error) } satisfies Response);
}
