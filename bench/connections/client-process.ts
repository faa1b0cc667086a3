import { openGrpcLink } from "./grpc-link.ts";
import { IdleClient } from "./idle-client.ts";
import type { LinkTarget, OpenLink } from "./link.ts";
import { openMqttLink } from "./mqtt-link.ts";
import { openViewerLink } from "./viewer-link.ts";
import { openWebSocketLink } from "./websocket-link.ts";

/** What the bench asks of a client process. */
export type ClientCommand =
  | { do: "open"; kind: LinkKind; targets: LinkTarget[] }
  | { do: "sendFix" }
  | { do: "tell" }
  | { do: "tellAcked" };

/** What it answers to `tell`. */
export type ClientCounts = { open: number; beating: number; unacked: number; breaks: number };
/** And to `tellAcked`: seqs by party. */
export type ClientAcked = { acked: Record<string, number[]> };

export type LinkKind = "grpc" | "websocket" | "mqtt" | "viewers";

const OPENERS: Readonly<Record<LinkKind, OpenLink>> = {
  grpc: openGrpcLink,
  websocket: openWebSocketLink,
  mqtt: openMqttLink,
  viewers: openViewerLink,
};
/** Connections that are begun at a time, so that a listener's queue does not overflow. */
const AT_A_TIME = 20;
const EVERY_MS = 20;

const HEARTBEAT_MS = 60_000;

const clients: IdleClient[] = [];

process.on("message", (command: ClientCommand) => {
  if (command.do === "open") void open(command.kind, command.targets);
  else if (command.do === "sendFix") for (const client of clients) client.sendFix();
  else if (command.do === "tell") process.send!(counts());
  else process.send!({ acked: Object.fromEntries(clients.map(({ id, acked }) => [id, acked])) });
});
setInterval(() => {
  for (const client of clients) client.heartbeat();
}, HEARTBEAT_MS);
// The bench is gone.
process.on("disconnect", () => process.exit());

async function open(kind: LinkKind, targets: readonly LinkTarget[]): Promise<void> {
  for (let first = 0; first < targets.length; first += AT_A_TIME) {
    for (const target of targets.slice(first, first + AT_A_TIME)) {
      const client = new IdleClient(target, OPENERS[kind]);
      clients.push(client);
      client.connect();
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

function counts(): ClientCounts {
  const sum = (of: (client: IdleClient) => number) => clients.reduce((total, one) => total + of(one), 0);
  return {
    open: sum(({ isOpen }) => (isOpen ? 1 : 0)),
    beating: sum(({ beats }) => (beats > 0 ? 1 : 0)),
    unacked: sum(({ unacked }) => unacked),
    breaks: sum(({ breaks }) => breaks),
  };
}
