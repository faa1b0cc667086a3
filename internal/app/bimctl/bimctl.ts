import { SettingsError } from "../../config/settings.ts";
import { certsCommand } from "./certs.ts";
import { type Command, type Context, UsageError } from "./command.ts";
import { configCommand } from "./config.ts";
import { doctorCommand } from "./doctor.ts";
import { keysCommand } from "./keys.ts";
import { migrateCommand } from "./migrate.ts";
import { rebuildCommand } from "./rebuild.ts";
import { regionsCommand } from "./regions.ts";
import { resumeCommand } from "./resume.ts";
import { rolesCommand } from "./roles.ts";
import { tokenCommand } from "./token.ts";

const COMMANDS: Readonly<Record<string, Command>> = {
  keys: keysCommand,
  token: tokenCommand,
  certs: certsCommand,
  config: configCommand,
  rebuild: rebuildCommand,
  resume: resumeCommand,
  doctor: doctorCommand,
  roles: rolesCommand,
  regions: regionsCommand,
  migrate: migrateCommand,
};

/** Runs the command that the first argument names. Returns the exit code: 0 done, 1 not, 2 not understood. */
export async function runBimctl(argv: readonly string[], context: Context): Promise<number> {
  const [name = "", ...args] = argv;
  if (name === "" || name === "help" || name === "--help") {
    context.print(usage());
    return name === "" ? 2 : 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    context.complain(`bimctl has no command ${JSON.stringify(name)}\n\n${usage()}`);
    return 2;
  }
  if (args.includes("--help")) {
    context.print(usageOf(name, command));
    return 0;
  }
  try {
    return await command.run(args, context);
  } catch (error) {
    if (isMisuse(error)) {
      context.complain(`${error.message}\n${usageOf(name, command)}`);
      return 2;
    }
    if (!(error instanceof SettingsError)) throw error;
    context.complain(error.message);
    return 1;
  }
}

/** True when the arguments are at fault, whoever found it: the command, Node's parser or the settings. */
function isMisuse(error: unknown): error is Error {
  if (error instanceof SettingsError) return error.misused;
  return error instanceof UsageError || !!(error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS_");
}

function usage(): string {
  const rows = Object.entries(COMMANDS).map(([name, command]) => usageOf(name, command));
  return `usage: npm run -s bimctl -- COMMAND\n${rows.join("\n")}`;
}

function usageOf(name: string, command: Command): string {
  return `  ${name} ${command.usage}\n      ${command.summary}`;
}
