import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { NatsNode } from "../test/kit/engines/nats-cluster.ts";
import type { Drill } from "./drill.ts";
import { killAndRestart } from "./faults.ts";
import { type Fault, underLoad, type World } from "./under-load.ts";

const DEAD_MS = 8_000;
const STREAM = "LOG_local";

export const killNatsLeader: Drill = {
  name: "kill-nats-leader",
  shows:
    "kill -9 of the log's leader in a NATS cluster of three: another leads within seconds, nothing acked is lost",
  run: (context) =>
    underLoad(
      { name: "kill-nats-leader", acksPromised: false, deployment: { natsNodes: 3 }, fault },
      context,
    ),
};

async function fault(world: World): Promise<Fault> {
  const { nats, natsAddresses } = world.deployment.engines;
  const leader = await leaderOf(natsAddresses);
  const victim = (nats as readonly NatsNode[]).find(({ serverName }) => serverName === leader);
  if (!victim) throw new Error(`the leader of ${STREAM} is ${leader}, which is none of the cluster`);
  const done = await killAndRestart(world, victim, DEAD_MS);
  const partitionGapMs = world.tap.times.longestSilenceMs(done.faultAtMs, done.faultAtMs + DEAD_MS);
  return { ...done, measured: { ...done.measured, newLeaderGapMs: partitionGapMs } };
}

async function leaderOf(servers: readonly string[]): Promise<string> {
  const connection = await connect({ servers: [...servers] });
  try {
    const manager = await jetstreamManager(connection);
    return (await manager.streams.info(STREAM)).cluster?.leader ?? "";
  } finally {
    await connection.close();
  }
}
