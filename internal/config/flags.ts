import { parseArgs } from "node:util";
import type { Setting } from "./setting.ts";

/** A value as somebody gave it. `from` says where: `--http-port` or `BIMRIDE_HTTP_PORT`. */
export type Given = { from: string; text: string };

/**
 * Values from the command line by setting key. Flags that no setting has, missing values and stray arguments are added
 * to `problems`; the last of a repeated flag wins.
 */
export function readFlags<Key extends string>(
  registry: Readonly<Record<Key, Setting<unknown>>>,
  argv: readonly string[],
  problems: string[],
): Map<Key, Given> {
  const byFlag = new Map<string, { key: Key; setting: Setting<unknown> }>();
  for (const [key, setting] of Object.entries(registry) as [Key, Setting<unknown>][]) {
    if (setting.flag !== undefined) byFlag.set(setting.flag, { key, setting });
  }
  const options = Object.fromEntries(
    [...byFlag].map(([flag, { setting }]) => [flag, { type: optionType(setting) }]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    allowNegative: true,
    tokens: true,
  });

  const given = new Map<Key, Given>();
  for (const token of tokens) {
    if (token.kind === "positional") problems.push(`${JSON.stringify(token.value)} is no flag`);
    if (token.kind !== "option") continue;
    const negated = token.rawName.startsWith("--no-");
    const entry = token.rawName.startsWith("--") ? byFlag.get(token.name.replace(/^no-/, "")) : undefined;
    if (entry === undefined || (negated && entry.setting.type !== "switch")) {
      problems.push(`${token.rawName} is no flag of this command; it has ${listFlags(byFlag)}`);
    } else if (entry.setting.type === "switch") {
      if (token.value !== undefined) problems.push(`${token.rawName} takes no value`);
      given.set(entry.key, { from: token.rawName, text: String(!negated) });
    } else if (token.value === undefined || (token.value.startsWith("--") && !token.inlineValue)) {
      problems.push(`${token.rawName} needs a value`);
    } else {
      given.set(entry.key, { from: token.rawName, text: token.value });
    }
  }
  return given;
}

function optionType(setting: Setting<unknown>): "boolean" | "string" {
  return setting.type === "switch" ? "boolean" : "string";
}

function listFlags(byFlag: ReadonlyMap<string, { setting: Setting<unknown> }>): string {
  return [...byFlag]
    .map(([flag, { setting }]) =>
      setting.type === "switch" && setting.default ? `--no-${flag}` : `--${flag}`,
    )
    .join(", ");
}
