import { execFile } from "node:child_process";

/** How a program ended. */
export type Ended = {
  readonly ok: boolean;
  /** The program was not found. */
  readonly missing: boolean;
  /** Both its outputs together. */
  readonly output: string;
};

const OUTPUT_LIMIT_BYTES = 16 << 20;

/** Runs a program to its end. */
export function runProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: OUTPUT_LIMIT_BYTES };
    execFile(command, args, options, (error, stdout, stderr) =>
      resolve({
        ok: error === null,
        missing: error?.code === "ENOENT",
        output: `${stdout}${stderr}`.trim(),
      }),
    );
  });
}

/** The lines that tell what went wrong: the last ones that are not empty. */
export function lastLines(output: string, count = 5): string {
  return output
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-count)
    .join("\n    ");
}

/** The first version number in a text, like 2.15.2. */
export function versionIn(text: string): string | undefined {
  return /\d+\.\d+(\.\d+)?/.exec(text)?.[0];
}

/** Whether a version is at least another, number by number. */
export function isAtLeast(version: string, least: string): boolean {
  return version.localeCompare(least, "en", { numeric: true }) >= 0;
}
