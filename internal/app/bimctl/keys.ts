import { join } from "node:path";
import { parseArgs } from "node:util";
import { jwksPathOf, KEY_ALGORITHMS, makeKeyFiles } from "../../auth/keys.ts";
import { loadSettings, type Settings } from "../../config/settings.ts";
import { makeFolder } from "../make-folder.ts";
import { type Command, UsageError } from "./command.ts";

/** Where keys for development are kept within the data folder; demo mode uses the same. */
const KEYS_FOLDER = "keys";

/** The folder of the keys when none is named: that of the setting, else one in the data folder. */
export function keyFolderOf({ authKeyFolder, dataDir }: Settings): string {
  return authKeyFolder || join(dataDir, KEYS_FOLDER);
}

/** Makes a key pair; prints the file of public keys as an assignment of the setting that wants it. */
export const keysCommand: Command = {
  usage: `[--dir DIR] [--alg ${KEY_ALGORITHMS.join("|")}]`,
  summary:
    "makes a key pair for development (default: auth.key_folder, else in the data folder), replacing the one that is there",
  async run(args, { env, print, complain }) {
    const { values } = parseArgs({
      args: [...args],
      options: { dir: { type: "string" }, alg: { type: "string", default: "EdDSA" } },
    });
    const algorithm = KEY_ALGORITHMS.find((candidate) => candidate === values.alg);
    if (algorithm === undefined) throw new UsageError(`--alg must be one of ${KEY_ALGORITHMS.join(", ")}`);
    const folder = values.dir ?? keyFolderOf(loadSettings(env, []));
    try {
      makeFolder(folder);
    } catch (error) {
      complain(`the folder of the keys, ${folder}, can't be made: ${(error as Error).message}`);
      return 1;
    }
    await makeKeyFiles(folder, algorithm);
    print(`BIMRIDE_AUTH_JWKS_FILE=${jwksPathOf(folder)}`);
    return 0;
  },
};
