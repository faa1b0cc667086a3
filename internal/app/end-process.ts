/** For whoever reads the lines. */
const PATIENCE_MS = 1_000;

/**
 * Ends the process once its last lines are out. What a client library still holds open (a connection that it can't be told
 * to give up, a pool that it forgot) does not keep it alive.
 */
export function endProcess(code: number): void {
  const end = () => process.exit(code);
  process.stdout.write("", () => process.stderr.write("", end));
  setTimeout(end, PATIENCE_MS).unref();
}
