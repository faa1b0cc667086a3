import { parseArgs } from "node:util";
import { openSigningKey } from "../../auth/keys.ts";
import { tokenMint } from "../../auth/mint.ts";
import { ROLES } from "../../auth/principal.ts";
import { loadSettings } from "../../config/settings.ts";
import { ID_PATTERN } from "../../core/ids.ts";
import { type Command, UsageError } from "./command.ts";
import { keyFolderOf } from "./keys.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_TTL_MS = 30 * 86_400_000;

/** Prints a token and nothing else, so that a shell can take it. */
export const tokenCommand: Command = {
  usage: `--role ${ROLES.join("|")} --sub ID [--ttl 90s|15m|1h|7d] [--dir DIR]`,
  summary:
    "prints a token signed with the keys for development (made when there are none), good for 1 h or --ttl",
  async run(args, { env, print, nowMs }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        role: { type: "string" },
        sub: { type: "string" },
        ttl: { type: "string", default: "1h" },
        dir: { type: "string" },
      },
    });
    const role = ROLES.find((candidate) => candidate === values.role);
    if (role === undefined) throw new UsageError(`--role must be one of ${ROLES.join(", ")}`);
    const subject = values.sub ?? "";
    if (!ID_PATTERN.test(subject)) throw new UsageError("--sub must be 1 to 64 of A-Z a-z 0-9 _ -");
    const ttlMs = parseDuration(values.ttl);
    if (ttlMs === undefined) throw new UsageError("--ttl must be like 90s, 15m, 1h or 7d, from 1s to 30d");

    const settings = loadSettings(env, []);
    const key = await openSigningKey(values.dir ?? keyFolderOf(settings));
    const mint = tokenMint(key, settings.authIssuer, settings.authAudience, nowMs);
    print((await mint({ role, subject, ttlMs })).token);
    return 0;
  },
};

function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
  return ms >= 1_000 && ms <= MAX_TTL_MS ? ms : undefined;
}
