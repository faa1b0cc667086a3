/** Turns one JSON line of a logger into a line for people: time, level, role, message, then `field=value`. */
export function plainLine(json: string): string {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(json) as Record<string, unknown>;
  } catch {
    // Not ours (a library wrote it): it is shown as it came, which loses nothing.
    return json;
  }
  const { level, time, role, msg, err, ...fields } = record;
  const clock = new Date(String(time)).toISOString().slice(11, 23);
  const shown = Object.entries(fields).map(([name, value]) => ` ${name}=${word(value)}`);
  return `${clock} ${String(level).padEnd(5)} ${String(role)}: ${String(msg ?? "")}${shown.join("")}${errorLines(err)}\n`;
}

function word(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

function errorLines(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  return `\n  ${String(stack ?? message).replaceAll("\n", "\n  ")}`;
}
