/** A log record as a line for people: time, level, role, message, then `field=value`, then an error's stack. */
export function plainLine(record: Readonly<Record<string, unknown>>): string {
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
