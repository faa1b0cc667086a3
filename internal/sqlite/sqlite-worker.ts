import { Worker } from "node:worker_threads";
import type { BimrideError } from "../core/errors.ts";
import type { Fault } from "./faults.ts";
import { type Answer, CLOSE, type Greeting, type Operations, type Request, type Response } from "./serve.ts";

type Pending = { resolve(value: unknown): void; reject(error: Error): void };
type ValueOf<O> = O extends Answer<infer T> ? T : never;

export type WorkerSetup = {
  /** The worker's entry file; it calls `serve`. */
  entry: URL;
  /** Name of the thread, for profilers and crash reports. */
  name: string;
  /** Given to the worker as its workerData. */
  data: unknown;
  /** How a fault of the database is called in the engine's own words. */
  toError(fault: Fault): BimrideError;
};

/**
 * The main thread's side of a thread that owns one SQLite database. Keeps the process alive only while a call waits for
 * its answer. When the thread dies, calls under way and later ones reject, and `failure` says why.
 */
export class SqliteWorker<Ops extends Operations> {
  readonly #worker: Worker;
  readonly #toError: (fault: Fault) => BimrideError;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<unknown>;
  #nextId = 0;
  #failure: BimrideError | undefined;
  #onFailure: (error: BimrideError) => void = () => {};

  private constructor(worker: Worker, toError: (fault: Fault) => BimrideError) {
    this.#worker = worker;
    this.#toError = toError;
    this.#exited = new Promise((resolve) => worker.once("exit", resolve));
    worker.on("message", (response: Response) => this.#settle(response));
    worker.on("error", (error) => this.#fail(`The database's thread failed: ${error.message}`));
    worker.on("exit", () => this.#fail("The database's thread has ended."));
    worker.unref();
  }

  /** Starts the thread and waits until its database is open; gives it and what it greeted with. */
  static async start<Ops extends Operations, Hello>(
    setup: WorkerSetup,
  ): Promise<{ worker: SqliteWorker<Ops>; hello: Hello }> {
    // No flags of the parent (a test runner's loaders, a debugger's port): the entry runs as it is.
    const thread = new Worker(setup.entry, { name: setup.name, workerData: setup.data, execArgv: [] });
    const greeting = await greetingOf(thread, setup.toError);
    if (!greeting.ready) {
      await thread.terminate();
      throw setup.toError(greeting.fault);
    }
    return { worker: new SqliteWorker<Ops>(thread, setup.toError), hello: greeting.value as Hello };
  }

  /** Why the thread can't be used any more; undefined while it can. */
  get failure(): BimrideError | undefined {
    return this.#failure;
  }

  /** Tells once, when the thread died; not on `asyncDispose`. */
  onFailure(tell: (error: BimrideError) => void): void {
    this.#onFailure = tell;
  }

  /** Runs an operation in the thread. Calls are worked on in order, but reads after the writes of their group. */
  call<Name extends keyof Ops & string>(
    operation: Name,
    argument: Parameters<Ops[Name]>[0],
    transfer: ArrayBuffer[] = [],
  ): Promise<ValueOf<ReturnType<Ops[Name]>>> {
    return this.#post(operation, argument, transfer) as Promise<ValueOf<ReturnType<Ops[Name]>>>;
  }

  #post(operation: string, argument: unknown, transfer: ArrayBuffer[]): Promise<unknown> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#worker.postMessage({ id, operation, argument } satisfies Request, transfer);
      if (this.#pending.size === 0) this.#worker.ref();
      this.#pending.set(id, { resolve, reject });
    });
  }

  #settle({ id, value, fault }: Response): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0 && !this.#failure) this.#worker.unref();
    if (fault) pending?.reject(this.#toError(fault));
    else pending?.resolve(value);
  }

  #fail(message: string): void {
    if (this.#failure) return;
    this.#failure = this.#toError({ kind: "other", message });
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
    this.#onFailure(this.#failure);
  }

  /** Lets the calls under way finish, closes the database and ends the thread. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#failure) {
      const failure = this.#toError({ kind: "other", message: "The database is closed." });
      this.#worker.ref();
      this.#worker.postMessage({ id: -1, operation: CLOSE, argument: undefined } satisfies Request);
      this.#onFailure = () => {};
      // Answers that are still to come settle their calls; only new calls are refused from here on.
      this.#failure = failure;
      await this.#exited;
      for (const pending of this.#pending.values()) pending.reject(failure);
      this.#pending.clear();
    }
    await this.#exited;
  }
}

function greetingOf(thread: Worker, toError: (fault: Fault) => BimrideError): Promise<Greeting> {
  return new Promise((resolve, reject) => {
    const fail = (message: string) => reject(toError({ kind: "other", message }));
    const failed = (error: Error) => fail(error.message);
    const ended = () => fail("The database's thread ended at its start.");
    thread.once("error", failed).once("exit", ended);
    thread.once("message", (greeting: Greeting) => {
      thread.off("error", failed).off("exit", ended);
      resolve(greeting);
    });
  });
}
