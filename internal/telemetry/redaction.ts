const REDACTED = "[redacted]";
/** Deeper objects are cut off: what is logged is small and flat. */
const MAX_DEPTH = 6;

/** Names of fields that never reach a log, whatever holds them: credentials and places. Compared without case and underscores. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  "token",
  "accesstoken",
  "authorization",
  "cookie",
  "setcookie",
  "password",
  "secret",
  "privatekey",
  "jwk",
  "lat",
  "lon",
  "lng",
  "latdeg",
  "londeg",
  "latitude",
  "longitude",
  "latitudedeg",
  "longitudedeg",
  "latitudee7",
  "longitudee7",
  "publishedlatdeg",
  "publishedlondeg",
  "position",
  "trail",
  "waypoints",
  "plannedpath",
]);

/** A JSON Web Token, wherever it stands in a text. */
const TOKEN = /\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?/g;

/** The text without tokens. */
function redactText(text: string): string {
  return text.replace(TOKEN, REDACTED);
}

/** A copy of a log record without credentials and places. */
export function redactFields(record: Record<string, unknown>): Record<string, unknown> {
  return redactObject(record, 0);
}

function redactObject(fields: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    copy[name] = isSecret(name) ? REDACTED : redactValue(value, depth);
  }
  return copy;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "[deep]";
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  return redactObject(value, depth + 1);
}

function isSecret(name: string): boolean {
  return SECRET_FIELDS.has(name.replaceAll(/[_-]/g, "").toLowerCase());
}
