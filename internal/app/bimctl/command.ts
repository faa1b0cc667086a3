/** What a command may use. Answers go to `print`, complaints to `complain`, both a line at a time. */
export type Context = {
  env: Readonly<Record<string, string | undefined>>;
  print(line: string): void;
  complain(line: string): void;
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
};

/** One command of bimctl. */
export type Command = {
  /** Arguments in words, after the command's name. */
  usage: string;
  /** One line on what it does. */
  summary: string;
  /** Returns the exit code: 0 done, 1 not. Throws UsageError for arguments it can't use. */
  run(args: readonly string[], context: Context): Promise<number>;
};

/** Arguments that a command can't use; the message says which and why. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
