import { configDocument, defaultEnvironment } from "../../config/config-doc.ts";
import { REGISTRY } from "../../config/registry.ts";
import { loadSettings } from "../../config/settings.ts";
import { type Command, UsageError } from "./command.ts";

/** Tries the settings, or shows what there is to set. */
export const configCommand: Command = {
  usage: "check [flags of npm start] | default | doc",
  summary:
    "check: tries the settings; default: prints them as an environment file; doc: prints docs/CONFIG.md",
  async run([what, ...rest], { env, print }) {
    if (what !== "check" && rest.length > 0) throw new UsageError(`config ${what} takes nothing more`);
    if (what === "default") print(defaultEnvironment().trimEnd());
    else if (what === "doc") print(configDocument().trimEnd());
    else if (what === "check") check(env, rest, print);
    else throw new UsageError("config wants check, default or doc");
    return 0;
  },
};

function check(
  env: Readonly<Record<string, string | undefined>>,
  flags: readonly string[],
  print: (line: string) => void,
): void {
  const settings = loadSettings(env, flags);
  for (const key of settings.given) print(`${REGISTRY[key].name} = ${String(settings[key])}`);
  print(`ok: ${settings.given.size} given, the others have their defaults`);
}
