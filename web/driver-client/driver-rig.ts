import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import {
  startTestGateway,
  type TestGateway,
  type TestGatewayOptions,
} from "../../internal/ingest/transports/kit.ts";
import { type Driver, startDriver } from "./driver.ts";
import type { DriverOptions } from "./driver-options.ts";
import type { Position } from "./position.ts";
import { memoryStore } from "./stores/memory-store.ts";

/** A way through to a server that a test can block. */
export type Line = AsyncDisposable & {
  address: string;
  /** `cut`: connections break and new ones are refused. `mute`: they stand, and nothing gets through. */
  set(mode: "open" | "cut" | "mute"): void;
  /** Connections that were made so far. */
  readonly connections: number;
};

export async function openLine(target: string): Promise<Line> {
  const [host, port] = target.split(":") as [string, string];
  const sockets = new Set<Socket>();
  let mode: "open" | "cut" | "mute" = "open";
  let connections = 0;
  const server = createServer((near) => {
    if (mode === "cut") return void near.destroy();
    connections++;
    const far = connect(Number(port), host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (data) => {
        if (mode === "open") to.write(data);
      });
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    set(next) {
      mode = next;
      if (next === "cut") for (const socket of sockets) socket.destroy();
    },
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const GOTHENBURG: Position = { latDeg: 57.7089, lonDeg: 11.9746, accuracyM: 5, source: "gnss" };

/** A gateway, a line to its HTTP port and a driver on it, all of which end with the stack. */
export async function startRig(stack: AsyncDisposableStack, options: TestGatewayOptions = {}) {
  const gateway = stack.use(await startTestGateway(options));
  const line = stack.use(await openLine(gateway.httpAddress));
  return {
    gateway,
    line,
    driver: (id: string, more: Partial<DriverOptions> = {}) => startRigDriver(stack, gateway, line, id, more),
    /** What the log has of the driver's sessions, in its order: `session/seq`. */
    logged: async (id: string) => loggedOf(gateway, id),
  };
}

async function startRigDriver(
  stack: AsyncDisposableStack,
  gateway: TestGateway,
  line: Line,
  id: string,
  more: Partial<DriverOptions>,
): Promise<Driver> {
  const driver = await startDriver({
    baseUrl: `http://${line.address}`,
    token: () => gateway.token("driver", id),
    store: memoryStore(),
    random: Math.random,
    ...more,
  });
  stack.defer(() => driver.stop());
  return driver;
}

async function loggedOf(gateway: TestGateway, id: string): Promise<string[]> {
  const records = await gateway.records();
  return records.flatMap((record) =>
    record.kind === "fixBatch" && record.party.id === id
      ? record.fixes.map(({ seq }) => `${record.sessionId}/${seq}`)
      : [],
  );
}
