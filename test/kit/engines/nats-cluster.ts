import type { Engine } from "./engine.ts";
import { EngineMissing } from "./engine.ts";
import { exchange } from "./exchange.ts";
import { findProgram } from "./find-program.ts";
import { freePort, retryWhenTaken } from "./free-port.ts";
import { NATS_HOW_TO_GET, type NatsOptions, startNatsNode } from "./nats.ts";
import { untilServed } from "./until-served.ts";

/** One server of a cluster. */
export type NatsNode = Engine & {
  /** As JetStream names it, for example as a stream's leader. */
  readonly serverName: string;
};

/** NATS servers that make one cluster. Disposing stops them all. */
export type NatsCluster = AsyncDisposable & {
  readonly nodes: readonly NatsNode[];
  /** host:port of each node. */
  readonly addresses: readonly string[];
};

const HOST = "127.0.0.1";
const READY_TIMEOUT_MS = 30_000;

/**
 * Starts a cluster of native NATS servers with JetStream and resolves when they have elected a leader.
 * @param count of servers: 3 for streams of three replicas
 * @throws EngineMissing without a native nats-server
 */
export async function startNatsCluster(
  count: number,
  options: Pick<NatsOptions, "config" | "profile"> = {},
): Promise<NatsCluster> {
  const program = findProgram("nats-server");
  if (program === undefined) throw new EngineMissing(`there is no native nats-server. ${NATS_HOW_TO_GET}`);
  return retryWhenTaken(() => startNodes(program, count, options));
}

async function startNodes(
  program: string,
  count: number,
  options: Pick<NatsOptions, "config" | "profile">,
): Promise<NatsCluster> {
  const members = await Promise.all(
    Array.from({ length: count }, async (_, index) => ({
      serverName: `node-${index + 1}`,
      port: await freePort(),
      routePort: await freePort(),
      monitorPort: await freePort(),
    })),
  );
  const routes = members.map(({ routePort }) => `"nats-route://${HOST}:${routePort}"`).join(", ");
  const nodes: NatsNode[] = [];
  const stop = async () => {
    await Promise.all(nodes.splice(0).map((node) => node[Symbol.asyncDispose]()));
  };
  const outcomes = await Promise.allSettled(
    members.map(async ({ serverName, port, routePort, monitorPort }) => {
      const cluster = `cluster { name: bimride, listen: "${HOST}:${routePort}", routes: [${routes}] }`;
      const config = [`http: "${HOST}:${monitorPort}"`, cluster, options.config ?? ""].join("\n");
      const node = await startNatsNode(program, { ...options, config, port, serverName });
      nodes.push(Object.assign(node, { serverName }));
    }),
  );
  try {
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    await Promise.all(
      members.map((each) => untilServed(probeHealth, HOST, each.monitorPort, READY_TIMEOUT_MS)),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  const ordered = nodes.toSorted((a, b) => a.serverName.localeCompare(b.serverName));
  return {
    nodes: ordered,
    addresses: ordered.map(({ address }) => address),
    [Symbol.asyncDispose]: stop,
  };
}

/** A server is healthy when JetStream's cluster has a leader that it follows. */
async function probeHealth(host: string, port: number): Promise<string> {
  const request = `GET /healthz HTTP/1.0\r\n\r\n`;
  const answer = await exchange({ host, port }, request, (received) => {
    const text = received.toString("utf8");
    return text.includes("\r\n\r\n") ? text : undefined;
  });
  const status = answer.split("\r\n")[0]!;
  if (!status.includes(" 200 ")) throw new Error(status);
  return status;
}
