/** The process's environment: the one place that reads it. Everything else gets what it needs as arguments. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}
