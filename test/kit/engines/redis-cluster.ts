import type { Engine } from "./engine.ts";
import { EngineMissing } from "./engine.ts";
import { exchange } from "./exchange.ts";
import { findProgram } from "./find-program.ts";
import { freePort, retryWhenTaken } from "./free-port.ts";
import { REDIS_HOW_TO_GET, startRedisNode } from "./redis.ts";
import { untilServed } from "./until-served.ts";

/** Redis servers that make one cluster, each with an equal part of the slots. Disposing stops them all. */
export type RedisCluster = AsyncDisposable & {
  readonly nodes: readonly Engine[];
  /** host:port of each node. */
  readonly addresses: readonly string[];
};

const HOST = "127.0.0.1";
const SLOTS = 16_384;
const READY_TIMEOUT_MS = 30_000;
/** A node that is silent for so long counts as failed. */
const NODE_TIMEOUT_MS = 2_000;

/**
 * Starts a cluster of native Redis servers, all of them masters, and resolves when each knows that it is whole.
 * @param count of servers
 * @throws EngineMissing without a native redis-server
 */
export async function startRedisCluster(count = 3): Promise<RedisCluster> {
  const program = findProgram("redis-server");
  if (program === undefined) throw new EngineMissing(`there is no native redis-server. ${REDIS_HOW_TO_GET}`);
  return retryWhenTaken(() => startNodes(program, count));
}

async function startNodes(program: string, count: number): Promise<RedisCluster> {
  const members = await Promise.all(
    Array.from({ length: count }, async () => ({ port: await freePort(), busPort: await freePort() })),
  );
  const nodes: Engine[] = [];
  const stop = async () => {
    await Promise.all(nodes.splice(0).map((node) => node[Symbol.asyncDispose]()));
  };
  const started = members.map(async ({ port, busPort }, index) => {
    const args = ["--cluster-enabled", "yes", "--cluster-port", String(busPort)];
    args.push("--cluster-node-timeout", String(NODE_TIMEOUT_MS), "--save", "", "--appendonly", "no");
    nodes[index] = await startRedisNode(program, { port, args });
  });
  try {
    const failed = (await Promise.allSettled(started)).find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    for (const [index, { port }] of members.entries()) {
      const [first, last] = [index, index + 1].map((i) => Math.floor((i * SLOTS) / count));
      await ask(port, `CLUSTER ADDSLOTSRANGE ${first} ${last! - 1}`);
      await ask(port, `CLUSTER SET-CONFIG-EPOCH ${index + 1}`);
    }
    for (const other of members.slice(1))
      await ask(members[0]!.port, `CLUSTER MEET ${HOST} ${other.port} ${other.busPort}`);
    await Promise.all(
      members.map(({ port }) => untilServed(probeCluster(count), HOST, port, READY_TIMEOUT_MS)),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, addresses: nodes.map(({ address }) => address), [Symbol.asyncDispose]: stop };
}

async function ask(port: number, command: string): Promise<void> {
  const answer = await exchange({ host: HOST, port }, `${command}\r\n`, line);
  if (!answer.startsWith("+OK")) throw new Error(`${command}: ${answer}`);
}

/** Whole, and everybody known. */
const probeCluster = (count: number) => async (host: string, port: number) => {
  const info = await exchange({ host, port }, "CLUSTER INFO\r\n", (received) => {
    const text = received.toString("utf8");
    return text.endsWith("\r\n\r\n") || /total_cluster_links\S+\r\n/.test(text) || text.startsWith("-")
      ? text
      : undefined;
  });
  if (!info.includes("cluster_state:ok") || !info.includes(`cluster_size:${count}`)) throw new Error(info);
  return info;
};

function line(received: Buffer): string | undefined {
  const text = received.toString("utf8");
  return text.endsWith("\r\n") ? text : undefined;
}
