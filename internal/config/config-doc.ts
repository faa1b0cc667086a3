import { REGISTRY } from "./registry.ts";
import { envName, type Setting } from "./setting.ts";

const all = (): Setting<unknown>[] => Object.values(REGISTRY);

/** docs/CONFIG.md, generated from the registry. */
export function configDocument(): string {
  const rows = all().map((setting) => {
    const flag = setting.flag === undefined ? "" : `\`${shownFlag(setting)}\``;
    return `| \`${setting.name}\` | \`${envName(setting.name)}\` | ${flag} | ${shownDefault(setting)} | ${setting.range}${setting.unit && ` ${setting.unit}`} | ${setting.doc} |`;
  });
  return `# Settings

<!-- Generated from internal/config/registry.ts by \`npm run generate\`. Do not edit. -->

A flag wins over an environment variable, a variable over the default. Empty variables count as not set. All problems
are reported at once, and unknown \`BIMRIDE_*\` variables are among them. \`npm run -s bimctl -- config check\` tries the
settings without starting anything.

| setting | variable | flag | default | range | meaning |
|---|---|---|---|---|---|
${rows.join("\n")}

Bounds that are no deployment's choice are in [ARCHITECTURE.md](ARCHITECTURE.md#bounds).
`;
}

/** The settings with their defaults as shell assignments, ready for an environment file. */
export function defaultEnvironment(): string {
  return all()
    .map((setting) => `# ${setting.doc}\n${envName(setting.name)}=${String(setting.default)}\n`)
    .join("\n");
}

/** The flags, for a usage text. @param without names of settings that the program has no use for */
export function flagUsage(without: readonly string[] = []): string {
  return all()
    .filter((setting) => setting.flag !== undefined && !without.includes(setting.name))
    .map((setting) => `  ${shownFlag(setting)}\n      ${setting.doc}`)
    .join("\n");
}

function shownFlag(setting: Setting<unknown>): string {
  if (setting.type === "switch") return setting.default ? `--no-${setting.flag}` : `--${setting.flag}`;
  if (setting.type === "choice") return `--${setting.flag} ${setting.range.replaceAll(", ", "/")}`;
  return `--${setting.flag} ${setting.type === "integer" ? "N" : "DIR"}`;
}

function shownDefault(setting: Setting<unknown>): string {
  return setting.default === "" ? "empty" : `\`${String(setting.default)}\``;
}
