import { argv, stdout } from "node:process";
import { putUntilKilled } from "../test-trips.ts";
import { SqliteTrips } from "./sqlite-trips.ts";

/** The contract's writer: run as `node put-until-killed.ts FILE`, ended with SIGKILL. */
await putUntilKilled(await SqliteTrips.open({ path: argv[2]! }), (line) => stdout.write(`${line}\n`));
