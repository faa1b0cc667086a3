import { Kvm } from "@nats-io/kv";
import { nuid } from "@nats-io/transport-node";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { connectNats, type NatsLink } from "../../nats/link.ts";
import type { RevocationsHarness } from "../contract.ts";
import type { Revocations } from "../revocations.ts";
import { openNatsRevocations } from "./revocations.ts";

const TEST_REGION = "se1";

/** For tests: a process with a registry of revocations on NATS. */
export type NatsRevocationsProcess = AsyncDisposable & {
  revocations: Revocations;
  link: NatsLink;
  errors: unknown[];
};

/** For tests: one more process on the registry of that prefix. */
export async function natsRevocationsProcess(
  address: string,
  prefix: string,
  clock: VirtualClock,
  maxRevocations = 1_000,
): Promise<NatsRevocationsProcess> {
  const link = await connectNats({ servers: [address], name: "bimride-test" });
  const errors: unknown[] = [];
  const revocations = await openNatsRevocations({
    ...{ link, prefix, clock, region: TEST_REGION, replicas: 1, limits: { maxRevocations } },
    onError: (error) => errors.push(error),
  });
  return {
    ...{ revocations, link, errors },
    async [Symbol.asyncDispose]() {
      await revocations[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}

/** For tests: removes the registry of that prefix. */
export async function removeTestRevocations(link: NatsLink, prefix: string): Promise<void> {
  const bucket = await new Kvm(link.connection).open(`${prefix}revocations_${TEST_REGION}`);
  await bucket.destroy();
}

/** For tests: a registry of its own on the NATS server that the tests share. */
export async function startNatsRevocations(): Promise<RevocationsHarness> {
  const prefix = `t${nuid.next()}_`;
  const address = sharedEngines().nats;
  const clock = new VirtualClock(1_700_000_000_000);
  await using stack = new AsyncDisposableStack();
  const link = stack.use(await connectNats({ servers: [address], name: "bimride-test" }));
  stack.defer(() => removeTestRevocations(link, prefix));
  const owned = stack.move();
  return {
    ...{ clock, shared: true },
    open: async (maxRevocations) =>
      owned.use(await natsRevocationsProcess(address, prefix, clock, maxRevocations)).revocations,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
