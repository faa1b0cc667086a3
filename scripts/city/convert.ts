/**
 * Makes demo/city/streets.json and demo/city/graph.json from an OpenStreetMap extract in GeoJSON. Run once:
 *
 *   npm pack geojson-path-finder@2.1.0   (in a folder outside the repository; unpack it there)
 *   node scripts/city/convert.ts FOLDER/package/test/large-network.json
 *
 * The data are © OpenStreetMap contributors, ODbL; see demo/city/NOTICE.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { packGraph } from "./pack-graph.ts";
import { packStreets } from "./pack-streets.ts";
import { readWays } from "./read-ways.ts";

function write(name: string, content: unknown): void {
  const path = fileURLToPath(new URL(`../../demo/city/${name}`, import.meta.url));
  const text = `${JSON.stringify(content)}\n`;
  writeFileSync(path, text);
  console.log(`demo/city/${name}: ${Buffer.byteLength(text)} bytes`);
}

const input = process.argv[2];
if (!input) {
  console.error("usage: node scripts/city/convert.ts EXTRACT.geojson");
  process.exitCode = 2;
} else {
  const ways = readWays(JSON.parse(readFileSync(input, "utf8")));
  write("streets.json", packStreets(ways));
  write("graph.json", packGraph(ways));
}
