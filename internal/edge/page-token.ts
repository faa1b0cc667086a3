import { createHash } from "node:crypto";
import { BimrideError } from "../core/errors.ts";

const MAX_TOKEN_CHARS = 1_024;

/**
 * The place where a listing goes on, as an opaque text bound to the listing (`scope`: method, trip, filter …). It says
 * nothing that the caller may not know and grants nothing: access is checked on every page.
 */
export function pageToken(scope: string, place: readonly (string | number)[]): string {
  const text = JSON.stringify(place);
  return `${Buffer.from(text).toString("base64url")}.${checksum(scope, text)}`;
}

/**
 * The place that a token of this scope names; undefined for the empty token, i.e. the first page.
 * @param shape types of the place's parts
 * @throws PAGE_TOKEN_INVALID for everything that {@link pageToken} did not make for this scope
 */
export function placeOf<Shape extends readonly ("string" | "number")[]>(
  scope: string,
  token: string,
  shape: Shape,
): { [Key in keyof Shape]: Shape[Key] extends "number" ? number : string } | undefined {
  if (token === "") return undefined;
  const [payload, sum, ...rest] = token.length <= MAX_TOKEN_CHARS ? token.split(".") : [];
  const text = Buffer.from(payload ?? "", "base64url").toString();
  if (rest.length > 0 || sum !== checksum(scope, text)) throw new BimrideError("PAGE_TOKEN_INVALID");
  const place: unknown[] = JSON.parse(text);
  if (place.length !== shape.length || shape.some((type, i) => typeof place[i] !== type)) {
    throw new BimrideError("PAGE_TOKEN_INVALID");
  }
  return place as { [Key in keyof Shape]: Shape[Key] extends "number" ? number : string };
}

/** The page size asked for: 0 means the default. Throws FIELD_INVALID above the largest. */
export function pageSizeOf(asked: number, standard: number, largest: number): number {
  if (asked > largest) {
    throw new BimrideError("FIELD_INVALID", `At most ${largest} on a page.`, { field: "page_size" });
  }
  return asked === 0 ? standard : asked;
}

/** Not a secret: it tells a token of ours from another, not a friend from a foe. */
function checksum(scope: string, text: string): string {
  return createHash("sha256").update(`page 1\n${scope}\n${text}`).digest("base64url").slice(0, 11);
}
