/** The engines that this project stores and moves its data with, beside the embedded ones. */
export type EngineName = "nats" | "redis" | "cassandra";

/** A running engine of the kit's own, or one given by the environment. Disposing stops it and removes what it wrote. */
export type Engine = AsyncDisposable & {
  readonly name: EngineName;
  /** host:port that clients connect to. */
  readonly address: string;
  /** As the server itself says. */
  readonly version: string;
  readonly how: "environment" | "container" | "native";
  /** Of the server's process; undefined where it is not ours (container, environment) or not running. */
  readonly pid: number | undefined;
  /**
   * Sends the signal. Resolves when the server is gone; at once for SIGSTOP and SIGCONT.
   * @throws when it does not run, or was given by the environment
   */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Again after kill, same port and data; resolves when it serves. */
  start(): Promise<void>;
};

/** An engine can't be had on this machine. The message says what was looked for and how to get it. */
export class EngineMissing extends Error {
  override readonly name = "EngineMissing";
}

/** What every start takes. */
export type StartOptions = {
  /** Where its data lies. Kept at the end; without it a temporary folder, which is removed. */
  folder?: string;
  /** Port that clients connect to. Without it a free one. */
  port?: number;
};

/**
 * Asks a server whether it serves.
 * @param host its host
 * @param port its port
 * @returns its version
 * @throws as long as it does not serve
 */
export type Probe = (host: string, port: number) => Promise<string>;
