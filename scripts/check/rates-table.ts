import { RATE_CASES } from "../../internal/ingest/rate-cases.ts";
import { SLOWDOWNS } from "../../internal/ingest/rate-slowdowns.ts";

const BEGIN =
  "<!-- wanted rates: generated from internal/ingest/rate-cases.ts and rate-slowdowns.ts by `npm run generate` -->";
const END = "<!-- /wanted rates -->";

/** The interfaces' document with its tables of wanted rates as the policy has them now. Throws when the marks are missing. */
export function withRates(document: string): string {
  const from = document.indexOf(BEGIN);
  const to = document.indexOf(END);
  if (from < 0 || to < from) throw new Error(`docs/API.md must have the lines ${BEGIN} and ${END}`);
  return `${document.slice(0, from)}${BEGIN}\n\n${casesTable()}\n\n${slowdownsTable()}\n\n${document.slice(to)}`;
}

function casesTable(): string {
  const rows = RATE_CASES.map(
    ({ code, when, intervalMs, accuracy, why }) =>
      `| \`${code}\` | ${when} | ${intervalMs / 1_000} s | ${accuracy} | ${why} |`,
  );
  return ["| reason | when | every | accuracy | why |", "|---|---|---|---|---|", ...rows].join("\n");
}

function slowdownsTable(): string {
  const rows = SLOWDOWNS.map(
    ({ code, when, effect, why }) => `| \`${code}\` | ${when} | ${effect} | ${why} |`,
  );
  return ["| reason | when | then | why |", "|---|---|---|---|", ...rows].join("\n");
}
