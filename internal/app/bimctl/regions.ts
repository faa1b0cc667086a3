import { readFile } from "node:fs/promises";
import { loadSettings } from "../../config/settings.ts";
import { checkRegions } from "../../regions/check.ts";
import { type Command, UsageError } from "./command.ts";

/** Looks at a region file; exit code 1 when a start could not use it. */
export const regionsCommand: Command = {
  usage: "check [FILE]",
  summary: "check: says all that is wrong with a region file (default: regions.file), or sums it up",
  async run([what, given, ...rest], { env, print, complain }) {
    if (what !== "check" || rest.length > 0) throw new UsageError("regions wants check and at most a file");
    const settings = loadSettings(env, []);
    const path = given ?? settings.regionsFile;
    if (path === "") {
      print("regions.file is not set: one region");
      return 0;
    }
    const where = given === undefined ? `regions.file: ${path}` : path;
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      complain(`${where} can't be read: ${(error as Error).message}`);
      return 1;
    }
    const { problems, summary } = checkRegions(text, settings);
    for (const problem of problems) complain(`${where}: ${problem}`);
    for (const line of summary) print(line);
    if (problems.length === 0) print(`ok: ${summary.length} ${summary.length === 1 ? "region" : "regions"}`);
    return problems.length === 0 ? 0 : 1;
  },
};
