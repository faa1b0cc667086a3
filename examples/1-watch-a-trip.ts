import { createWatcher } from "../web/client/watcher.ts";

const [baseUrl = "", tripId = "", token = ""] = process.argv.slice(2);

// Connects, resumes, falls back to WebSocket and polling, and climbs back, all by itself.
const watcher = createWatcher({ baseUrl, tripIds: [tripId], token: async () => token });
for await (const { position, connection, problem } of watcher) {
  if (problem) console.error(`${problem.code}, ${connection.text}`);
  if (!position) continue;
  const { latitudeE7, longitudeE7, headingDeg } = position;
  console.log(`car at ${latitudeE7 / 1e7}, ${longitudeE7 / 1e7}, heading ${headingDeg ?? "unknown"}`);
}
