/** Packs the watcher and the driver library as npm tarballs. Usage: npm run -s pack-clients -- [FOLDER]; packed/ by default. */
import { join, resolve } from "node:path";
import { packClients } from "./pack.ts";

const root = new URL("../..", import.meta.url).pathname;
const folder = resolve(process.argv[2] ?? join(root, "packed"));
for (const { file, bytes } of await packClients(root, folder))
  console.log(`${file}  ${Math.round(bytes / 1024)} KiB`);
