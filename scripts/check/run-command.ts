import { execFile } from "node:child_process";

export type CommandResult = { ok: boolean; output: string };

/** Runs a tool of node_modules/.bin in `cwd` and waits for it; both its outputs together, without colours. */
export function runCommand(command: string, args: readonly string[], cwd: string): Promise<CommandResult> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" };
    execFile(command, args, { cwd, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const missing =
        error?.code === "ENOENT" ? `${command} was not found: run npm ci, then npm run …\n` : "";
      resolve({ ok: error === null, output: `${missing}${stdout}${stderr}`.trimEnd() });
    });
  });
}

/** The tool's output as problems: none when it ended well. */
export async function problemsOf(command: string, args: readonly string[], cwd: string): Promise<string[]> {
  const { ok, output } = await runCommand(command, args, cwd);
  return ok ? [] : output === "" ? [`${command} failed without a word`] : output.split("\n");
}

/** What Biome finds, one problem a line. */
export async function biomeProblems(root: string): Promise<string[]> {
  const { ok, output } = await runCommand(
    "biome",
    ["ci", "--reporter=github", "--max-diagnostics=none", "."],
    root,
  );
  if (ok) return [];
  const found = [...output.matchAll(/^::error title=([^,]*),file=([^,]*),line=(\d+)[^:]*::(.*)$/gm)].map(
    ([, rule, file, line, words]) => `${file!.replace(`${root}/`, "")}:${line} ${rule}: ${words}`,
  );
  return found.length > 0 ? found : output.split("\n");
}
