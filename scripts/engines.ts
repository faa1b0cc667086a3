/**
 * `npm run engines`: puts what is missing of the real engines into .engines/, so that tests, drills and `npm run
 * dev:engines` run them natively, without Docker, and grpcurl, which the documents' lines use. One line for each: found,
 * fetched, or how to get it.
 */
import { haveCassandra } from "./engines/cassandra.ts";
import { haveGrpcurl, haveNatsServer, haveRedis, haveToxiproxy } from "./engines/servers.ts";

const searches = [haveNatsServer, haveRedis, haveCassandra, haveToxiproxy, haveGrpcurl];
const outcomes = await Promise.all(
  searches.map(async (search) => {
    const outcome = await search();
    console.log(`${outcome.ready ? "ok  " : "MISS"} ${outcome.line}`);
    return outcome;
  }),
);
if (outcomes.some(({ ready }) => !ready)) process.exitCode = 1;
