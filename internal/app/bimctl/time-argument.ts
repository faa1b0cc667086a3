import { UsageError } from "./command.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const ISO = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/**
 * A time given as ISO 8601 (a date alone is its midnight UTC) or as a time ago, like `2h`, `90m ago`.
 * @throws UsageError that names the option
 */
export function timeArgument(option: string, text: string, nowMs: number): number {
  const [, amount, unit] = /^(\d{1,7})([smhd])(?: ago)?$/.exec(text.trim()) ?? [];
  if (amount !== undefined) return nowMs - Number(amount) * UNIT_MS[unit!]!;
  const timeMs = ISO.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs))
    throw new UsageError(
      `${option} must be a time like 2026-03-01T12:00:00Z, or a time ago like 2h, not ${text}`,
    );
  return timeMs;
}
