import { argv, stdout } from "node:process";
import { connectCassandra } from "../../cassandra/link.ts";
import { putUntilKilled } from "../test-trips.ts";
import { openCassandraTrips } from "./trips.ts";

/** The contract's writer: run as `node put-until-killed.ts OPTIONS`, which are JSON, ended with SIGKILL. */
const link = await connectCassandra(JSON.parse(argv[2]!));
const trips = await openCassandraTrips({ link, retentionMs: 30 * 86_400_000 });
await putUntilKilled(trips, (line) => stdout.write(`${line}\n`));
