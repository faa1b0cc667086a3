import type { FixContext } from "../context.ts";
import { applyPosition, placeLate } from "./position.ts";

/**
 * Where the party is: outlier gate and Kalman filter (position.ts). Every fix in order gets a place, an outlier the
 * predicted one. A late fix gets its place among those around it, and never touches the filter.
 */
export function place(context: FixContext): boolean {
  const { party, fix, atMs, disposition, estimate } = context;
  context.placed = false;
  if (disposition === "applied") {
    applyPosition(party.position, fix, atMs, estimate);
    context.placed = true;
  } else if (disposition === "late") context.placed = placeLate(party.position, fix, atMs, estimate);
  return true;
}
