/** What a rebuild saw and changed in one partition, or in all. In a dry run: what it would have changed. */
export type PartCounts = {
  /** Log entries read, those of the warm-up too. */
  entriesRead: number;
  /** Fixes, parties or trips of the range in the log, each once. */
  inLog: number;
  /** Those that the view had, right. */
  found: number;
  /** Those that the view lacked. */
  added: number;
  /** Those that the view had otherwise than the log says. */
  corrected: number;
  /** Those that are wrong and were left to the partition's owner, which still writes the row, or is ahead of us. */
  left: number;
  /** Rows written: chunks of history, entries of the latest state. */
  rowsWritten: number;
  /** Events of trips added or corrected. */
  eventsWritten: number;
  /** Ended trips whose final record was computed. */
  tripsChecked: number;
  /** Those whose final record was another one. */
  tripsSettled: number;
};

export type RebuildReport = {
  schema: "bimride.rebuild/1";
  region: string;
  projection: "history" | "latest";
  dryRun: boolean;
  /** What was asked for, as far as the log and its running owners allow; ISO 8601. */
  from: string;
  to: string;
  /** Where the log was read from, so that the pipeline knew sessions, filters and trips at `from`. */
  readFrom: string;
  /** The log's oldest entry. */
  logBegins: string;
  /** What reads oddly without it. */
  notes: string[];
  partitions: (PartCounts & { partition: number })[];
  total: PartCounts;
  tookMs: number;
};

export function noCounts(): PartCounts {
  return {
    ...{ entriesRead: 0, inLog: 0, found: 0, added: 0, corrected: 0, left: 0, rowsWritten: 0 },
    ...{ eventsWritten: 0, tripsChecked: 0, tripsSettled: 0 },
  };
}

/** Adds up what the partitions have. */
export function totalOf(parts: Iterable<PartCounts>): PartCounts {
  const total = noCounts();
  for (const part of parts) for (const key of COLUMNS) total[key] += part[key];
  return total;
}

/** True when the view was not as the log says. */
export function changes({ total }: RebuildReport): boolean {
  return total.rowsWritten + total.eventsWritten + total.tripsSettled > 0;
}

const COLUMNS = Object.keys(noCounts()) as (keyof PartCounts)[];
const HEADS: Readonly<Record<keyof PartCounts, string>> = {
  entriesRead: "entries",
  inLog: "in log",
  found: "right",
  added: "added",
  corrected: "corrected",
  left: "left",
  rowsWritten: "rows",
  eventsWritten: "events",
  tripsChecked: "trips",
  tripsSettled: "settled",
};

/** The report for people: a head, a line per partition in which something was read, the sum, what to know. */
export function reportText(report: RebuildReport): string {
  const { projection, region, dryRun, from, to, readFrom, logBegins, partitions, total, tookMs } = report;
  const row = (name: string, cells: readonly (string | number)[]) =>
    [name.padEnd(9), ...cells.map((cell) => String(cell).padStart(10))].join("");
  return [
    `${projection} of region ${region}, ${from} to ${to}${dryRun ? " (dry run: nothing was written)" : ""}`,
    `read from ${readFrom}; the log begins ${logBegins}; took ${(tookMs / 1_000).toFixed(1)} s`,
    "",
    row(
      "partition",
      COLUMNS.map((key) => HEADS[key]),
    ),
    ...partitions
      .filter(({ entriesRead }) => entriesRead > 0)
      .map((part) =>
        row(
          String(part.partition),
          COLUMNS.map((key) => part[key]),
        ),
      ),
    row(
      "all",
      COLUMNS.map((key) => total[key]),
    ),
    ...report.notes.map((note) => `note: ${note}`),
    changes(report)
      ? dryRun
        ? "the view is not as the log says"
        : "the view was not as the log says, and is now"
      : "the view is as the log says: nothing to change",
  ].join("\n");
}
