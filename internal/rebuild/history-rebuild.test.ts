import { DatabaseSync } from "node:sqlite";
import { tempFolder } from "../../test/kit/temp-folder.ts";
import { openSqliteHistory } from "../history/sqlite/history.ts";
import { rebuildHistorySuite } from "./history-suite.ts";

rebuildHistorySuite(
  "the embedded engines",
  async ({ log, clock }) => {
    const folder = await tempFolder();
    const path = folder.file("history.sqlite");
    const history = await openSqliteHistory({ path });
    return {
      ...{ log, history },
      logsInRealTime: false,
      now: () => clock.now(),
      advanceTo: async (timeMs) => clock.advanceTo(timeMs),
      async empty() {
        const db = new DatabaseSync(path, { timeout: 5_000 });
        for (const table of ["chunks", "trip_finals", "trip_events"]) db.exec(`DELETE FROM ${table}`);
        db.close();
      },
      async [Symbol.asyncDispose]() {
        await history[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  },
  12,
);
