import type { FixContext } from "../context.ts";

/** A fix is known by (party, session, seq): a repeat, whenever and however it comes, ends here. */
export function dedupe({ session, fix }: FixContext): boolean {
  return session.seen.add(fix.seq);
}
