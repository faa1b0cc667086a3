import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The project's folder. */
export const PROJECT = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");

/** Where `npm run engines` puts what it fetches. */
export const ENGINES_FOLDER = join(PROJECT, ".engines");

/** Path of a program: in .engines/bin, else on the PATH; undefined when there is none. */
export function findProgram(name: string): string | undefined {
  const folders = [join(ENGINES_FOLDER, "bin"), ...(process.env.PATH ?? "").split(delimiter).filter(Boolean)];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Folder of Cassandra's jars as `npm run engines` fetches them; undefined when it did not. */
export function findCassandraJars(): string | undefined {
  const folder = join(ENGINES_FOLDER, "cassandra", "lib");
  const found =
    existsSync(folder) && readdirSync(folder).some((name) => /^cassandra-all-.*\.jar$/.test(name));
  return found ? folder : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not for us: the next candidate
  }
}
