import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { TripService, TripType, WaypointKind } from "../../gen/bimride/tracking/v1/trip_pb.ts";
import { freePort } from "../../test/kit/engines/free-port.ts";
import { ClientFleet } from "../connections/client-fleet.ts";
import type { LinkKind } from "../connections/client-process.ts";
import { type LinkTarget, sessionIdOf } from "../connections/link.ts";
import { checkOpenFiles } from "../connections/open-files.ts";
import { Deployment } from "../load/deployment.ts";
import { pause } from "../load/pause.ts";
import { residentKib } from "../load/process-memory.ts";
import { countFixesInLog, fixKey } from "../load/read-log.ts";
import type { RoleProcess, SettingTexts } from "../load/role-process.ts";
import { atLeast, atMost, type CaseResult, type Target } from "../report.ts";

export type ConnectionsArgs = {
  kinds: readonly LinkKind[];
  connections: number;
  /** Between the last connection and the look at the memory. */
  idleS: number;
};

type Measured = {
  connections: number;
  /** Of the server's memory, per connection. */
  kibPerConnection: number;
  /** Until all stood, at the first time. */
  connectS: number;
  /** Of these, how many showed life while idle. */
  heartbeating: number;
  /** From when the killed server was ready again until all stood and every fix was acked. */
  reconnectS: number;
  /** The same from the kill. */
  sinceKillS: number;
  /** Fixes that were called durable and are not in the log, and fixes that were never answered for. */
  lostAcks: number;
};

export const LINK_KINDS: readonly LinkKind[] = ["grpc", "websocket", "mqtt", "viewers"];
/** What a fresh process does after it is ready is done by then. */
const SETTLE_MS = 5_000;
const CONNECT_PATIENCE_MS = 180_000;
const STORM_PATIENCE_MS = 120_000;
const LOOK_EVERY_MS = 250;
/** KiB of a server's memory per connection. */
const REACH_KIB: Readonly<Record<LinkKind, number>> = { grpc: 60, websocket: 60, mqtt: 60, viewers: 50 };
const REACH_RECONNECT_S = 30;
const RIDERS_PER_TRIP = 8;
const TRIPS_AT_A_TIME = 20;

/**
 * Many idle connections on one gateway (each way in by itself) and on one edge, on the real engines, plaintext: what one
 * costs in memory, and how long it takes all of them to come back after the process was killed, each with a fix in flight.
 * Every connection is a TCP connection of its own, of clients in processes of their own.
 */
export async function connections(args: ConnectionsArgs, log: (line: string) => void): Promise<CaseResult> {
  log(`a process may open ${checkOpenFiles(args.connections)} files`);
  const mqttPort = await freePort();
  await using deployment = await Deployment.start({
    settings: { "telemetry.level": "error" },
    settingsOf: (role): SettingTexts => (role === "gateway" ? { "mqtt.port": String(mqttPort) } : {}),
  });
  const results: Record<string, Measured> = {};
  for (const kind of args.kinds)
    results[kind] = await measure(deployment, kind, mqttPort, args, (line) => log(`${kind}: ${line}`));
  return {
    args,
    versions: deployment.engines.versions,
    seed: 1,
    runs: 1,
    durationS: args.idleS,
    results,
    targets: args.kinds.flatMap((kind) => targetsOf(kind, results[kind]!, args)),
  };
}

function targetsOf(kind: LinkKind, got: Measured, args: ConnectionsArgs): Target[] {
  const name = (what: string) => `${kind}.${what}`;
  return [
    atLeast(name("connections"), args.connections, got.connections),
    atLeast(name("heartbeating"), args.connections, got.heartbeating),
    atMost(name("kibPerConnection"), REACH_KIB[kind], got.kibPerConnection),
    atMost(name("reconnectS"), REACH_RECONNECT_S, got.reconnectS),
    atMost(name("lostAcks"), 0, got.lostAcks),
  ];
}

async function measure(
  deployment: Deployment,
  kind: LinkKind,
  mqttPort: number,
  { connections: count, idleS }: ConnectionsArgs,
  log: (line: string) => void,
): Promise<Measured> {
  const server = kind === "viewers" ? deployment.edges[0]! : deployment.gateways[0]!;
  const targets = await targetsFor(deployment, kind, addressOf(server, kind, mqttPort), count);
  // A process that has done nothing else: what others left in its heap would be counted, or be filled for nothing.
  await server.kill("SIGKILL");
  await server.start();
  await pause(SETTLE_MS);
  const kibBefore = residentKib(server.pid);
  const beganMs = performance.now();
  await using fleet = ClientFleet.open(kind, targets);
  const open = await untilAll(fleet, count, CONNECT_PATIENCE_MS);
  const connectS = seconds(performance.now() - beganMs);
  log(`${open} connected in ${connectS} s`);
  if (kind !== "viewers") await fleetSends(fleet, count);
  await pause(idleS * 1_000);
  const kibPerConnection = round((residentKib(server.pid) - kibBefore) / Math.max(1, open));
  const { beating } = await fleet.counts();
  log(`${kibPerConnection} KiB each after ${idleS} s, ${beating} heartbeating`);

  if (kind !== "viewers") fleet.sendFix();
  const killedMs = performance.now();
  await server.kill("SIGKILL");
  await server.start();
  const readyMs = performance.now();
  const back = await untilAll(fleet, count, STORM_PATIENCE_MS);
  const settledMs = performance.now();
  log(`${back} back ${seconds(settledMs - readyMs)} s after the server was`);
  return {
    connections: Math.min(open, back),
    kibPerConnection,
    connectS,
    heartbeating: beating,
    reconnectS: seconds(settledMs - readyMs),
    sinceKillS: seconds(settledMs - killedMs),
    lostAcks: kind === "viewers" ? 0 : await lostAcks(deployment, fleet),
  };
}

function addressOf(server: RoleProcess, kind: LinkKind, mqttPort: number): string {
  if (kind === "grpc") return server.grpcAddress;
  return kind === "mqtt" ? `127.0.0.1:${mqttPort}` : new URL(server.httpUrl).host;
}

/** Waits until so many stand and nothing is unanswered; gives up after so long. Tells how many stand. */
async function untilAll(fleet: ClientFleet, count: number, patienceMs: number): Promise<number> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const { open, unacked } = await fleet.counts();
    if ((open === count && unacked === 0) || performance.now() > deadline) return open;
    await pause(LOOK_EVERY_MS);
  }
}

async function fleetSends(fleet: ClientFleet, count: number): Promise<void> {
  fleet.sendFix();
  await untilAll(fleet, count, CONNECT_PATIENCE_MS);
}

async function lostAcks(deployment: Deployment, fleet: ClientFleet): Promise<number> {
  const inLog = await countFixesInLog(deployment.engines.natsAddresses);
  let lost = (await fleet.counts()).unacked;
  for (const [id, seqs] of await fleet.acked())
    for (const seq of seqs) if (!inLog.has(fixKey(id, sessionIdOf(id), seq))) lost++;
  return lost;
}

async function targetsFor(
  deployment: Deployment,
  kind: LinkKind,
  address: string,
  count: number,
): Promise<LinkTarget[]> {
  if (kind === "viewers") return viewerTargets(deployment, address, count);
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const id = `${kind}-${index}`;
      return { address, id, token: await deployment.mint("driver", id), tripId: "" };
    }),
  );
}

/** Riders, each with a watch of their own, several on one trip. */
async function viewerTargets(deployment: Deployment, address: string, count: number): Promise<LinkTarget[]> {
  const trips = Math.ceil(count / RIDERS_PER_TRIP);
  const targets: LinkTarget[] = [];
  for (let first = 0; first < trips; first += TRIPS_AT_A_TIME) {
    const size = Math.min(TRIPS_AT_A_TIME, trips - first);
    const booked = await Promise.all(
      Array.from({ length: size }, (_, i) => bookWatchedTrip(deployment, first + i)),
    );
    for (const { tripId, riderIds } of booked)
      for (const id of riderIds)
        targets.push({ address, id, token: await deployment.mint("rider", id), tripId });
  }
  return targets.slice(0, count);
}

async function bookWatchedTrip(
  deployment: Deployment,
  index: number,
): Promise<{ tripId: string; riderIds: string[] }> {
  const riderIds = Array.from({ length: RIDERS_PER_TRIP }, (_, i) => `viewer-${index}-${i}`);
  const baseUrl = deployment.edgeUrls[0]!;
  const client = createClient(TripService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
  const { trip } = await client.createTrip(
    {
      idempotencyKey: `watched-${index}`,
      type: TripType.EXCLUSIVE,
      riderIds,
      driverId: `watched-${index}`,
      waypoints: [
        { kind: WaypointKind.PICKUP, position: { latitudeDeg: 57.7, longitudeDeg: 11.97 } },
        { kind: WaypointKind.DROPOFF, position: { latitudeDeg: 57.71, longitudeDeg: 11.98 } },
      ],
    },
    { headers: { authorization: `Bearer ${await deployment.mint("backend", "bench")}` } },
  );
  return { tripId: trip!.tripId, riderIds };
}

function seconds(ms: number): number {
  return round(ms / 1_000);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
