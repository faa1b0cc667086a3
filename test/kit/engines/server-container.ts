import { setTimeout as sleep } from "node:timers/promises";
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from "testcontainers";
import type { Probe } from "./engine.ts";
import { freePort } from "./free-port.ts";
import type { ServerProcess } from "./server-process.ts";
import { untilServed } from "./until-served.ts";

/** How to start a server from an image. */
export type ContainerPlan = {
  readonly image: string;
  /** That the server listens on inside. */
  readonly innerPort: number;
  /** On this machine; the same for the container's whole life, so that a restart is found again. */
  readonly port?: number;
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: readonly { readonly target: string; readonly content: string }[];
  readonly probe: Probe;
  readonly startTimeoutMs: number;
};

const PAUSE_MS = 50;
const SIGNAL_TIMEOUT_MS = 30_000;

/** Whether a Docker engine answers on this machine. */
export function dockerAnswers(): Promise<boolean> {
  return getContainerRuntimeClient().then(
    () => true,
    () => false, // no engine is no fault: there are other ways to a server
  );
}

/** Starts a container and resolves when its server serves. Its data lives as long as the container. */
export async function startContainer(
  plan: ContainerPlan,
): Promise<ServerProcess & { host: string; port: number }> {
  const port = plan.port ?? (await freePort());
  let container = new GenericContainer(plan.image)
    .withExposedPorts({ container: plan.innerPort, host: port })
    .withEnvironment({ ...plan.env })
    .withCopyContentToContainer((plan.files ?? []).map(({ target, content }) => ({ target, content })))
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(plan.startTimeoutMs);
  if (plan.command !== undefined) container = container.withCommand([...plan.command]);
  const started = await container.start();
  const host = started.getHost();
  try {
    return controlled(
      plan,
      started,
      host,
      port,
      await untilServed(plan.probe, host, port, plan.startTimeoutMs),
    );
  } catch (error) {
    await started.stop();
    throw error;
  }
}

function controlled(
  plan: ContainerPlan,
  started: StartedTestContainer,
  host: string,
  port: number,
  version: string,
): ServerProcess & { host: string; port: number } {
  const handle = async () =>
    (await getContainerRuntimeClient()).container.dockerode.getContainer(started.getId());
  return {
    host,
    port,
    version,
    pid: undefined,
    async kill(signal) {
      const container = await handle();
      await container.kill({ signal });
      if (signal === "SIGSTOP" || signal === "SIGCONT") return;
      const deadline = performance.now() + SIGNAL_TIMEOUT_MS;
      while ((await container.inspect()).State.Running) {
        if (performance.now() > deadline) throw new Error(`${plan.image} does not end on ${signal}`);
        await sleep(PAUSE_MS);
      }
    },
    async start() {
      await (await handle()).start();
      await untilServed(plan.probe, host, port, plan.startTimeoutMs);
    },
    async [Symbol.asyncDispose]() {
      await started.stop();
    },
  };
}
