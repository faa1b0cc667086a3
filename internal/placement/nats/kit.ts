import { Kvm } from "@nats-io/kv";
import { nuid } from "@nats-io/transport-node";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import { type Clock, systemClock } from "../../core/time.ts";
import { connectNats, type NatsLink } from "../../nats/link.ts";
import type { NodesHarness, NodesProcess } from "../contract.ts";
import { openNatsNodes } from "./nodes.ts";

export const TEST_REGION = "se1";

/** For tests: a process that sees a registry on NATS. */
export type NatsNodesProcess = NodesProcess &
  AsyncDisposable & { link: NatsLink; errors: unknown[]; crash(): Promise<void> };

/** For tests: one more process on the registry of that prefix. Nodes renew fast there, and are dead soon. */
export async function natsNodesProcess(
  address: string,
  prefix: string,
  { maxNodesPerRegion = DEFAULT_LIMITS.maxNodesPerRegion, clock = systemClock as Clock } = {},
): Promise<NatsNodesProcess> {
  const link = await connectNats({ servers: [address], name: "bimride-test" });
  const errors: unknown[] = [];
  const nodes = await openNatsNodes({
    ...{ link, prefix, region: TEST_REGION, replicas: 1, clock },
    limits: { nodeRenewMs: 50, nodeSilentMs: 500, maxNodesPerRegion },
    onError: (error) => errors.push(error),
  });
  return {
    ...{ link, errors, nodes },
    crash: () => link.connection.close(),
    async [Symbol.asyncDispose]() {
      await nodes[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}

/** For tests: removes the registry of that prefix. */
export async function removeTestNodes(link: NatsLink, prefix: string): Promise<void> {
  const bucket = await new Kvm(link.connection).open(`${prefix}nodes_${TEST_REGION}`);
  await bucket.destroy();
}

/** For tests: a registry of its own on the NATS server that the tests share. */
export async function startNatsNodes(): Promise<NodesHarness> {
  const prefix = `t${nuid.next()}_`;
  const address = sharedEngines().nats;
  await using stack = new AsyncDisposableStack();
  const link = stack.use(await connectNats({ servers: [address], name: "bimride-test" }));
  stack.defer(() => removeTestNodes(link, prefix));
  const owned = stack.move();
  return {
    open: async (maxNodesPerRegion) =>
      owned.use(await natsNodesProcess(address, prefix, { maxNodesPerRegion })),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
