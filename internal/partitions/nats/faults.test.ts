import { type JetStreamManager, jetstreamManager, type StreamInfo } from "@nats-io/jetstream";
import { describe, expect, test } from "vitest";
import { startNats } from "../../../test/kit/engines/nats.ts";
import { startNatsCluster } from "../../../test/kit/engines/nats-cluster.ts";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { startToxiproxy } from "../../../test/kit/engines/toxiproxy.ts";
import { DEFAULT_LIMITS } from "../../core/limits.ts";
import { systemClock } from "../../core/time.ts";
import { connectNats } from "../../nats/link.ts";
import { Fleet, type Member, PARTITIONS, until, validOf } from "./fleet.ts";
import { freshPrefix } from "./kit.ts";
import { LeaseRecord } from "./lease-record.ts";
import { openNatsLeases } from "./leases.ts";
import { openNatsSnapshots } from "./snapshots.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const PARTITION_KEYS = { subjects_filter: "$KV.*.*.partition.*" };
const epochsOf = (...members: Member[]) => members.map((member) => new Map(validOf(member)));

/** Waits until the stream of the leases is there and satisfies a condition. */
async function untilStream(
  manager: JetStreamManager,
  fleet: Fleet,
  what: (info: StreamInfo) => boolean,
): Promise<void> {
  const info = () =>
    manager.streams.info(`KV_${fleet.prefix}LEASES_eu1`, PARTITION_KEYS).catch(() => undefined);
  for (;;) {
    const now = await info();
    if (now && what(now)) return;
    await sleep(20);
  }
}

const allWritten = ({ state }: StreamInfo) => Object.keys(state.subjects ?? {}).length === PARTITIONS;

/** Joins two and lets them share. */
async function pair(fleet: Fleet): Promise<[Member, Member]> {
  const a = await fleet.join("a");
  const b = await fleet.join("b");
  await fleet.spread([a, b]);
  return [a, b];
}

// Each fleet checks at its end that no two leases of a partition were ever valid at once.
describe("leases in trouble", () => {
  test("a bucket that is lost ends no valid lease: owners write them down again under the same epochs", async () => {
    await using fleet = new Fleet([sharedEngines().nats]);
    const [a, b] = await pair(fleet);
    const before = epochsOf(a, b);
    const leases = [...a.held, ...b.held];
    let lapsed = 0;
    const look = setInterval(() => {
      lapsed += leases.filter((lease) => !lease.valid()).length;
    }, 5);
    await using link = await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" });
    const manager = await jetstreamManager(link.connection, { checkAPI: false, timeout: 500 });
    for (let round = 0; round < 3; round++) {
      await manager.streams.delete(`KV_${fleet.prefix}LEASES_eu1`);
      await untilStream(manager, fleet, allWritten);
      await sleep(DEFAULT_LIMITS.memberSilentMs + 500);
    }
    clearInterval(look);
    expect(epochsOf(a, b)).toEqual(before);
    expect(lapsed).toBe(0);
  });

  test("the only server is killed and starts again without the bucket", async () => {
    await using server = await startNats();
    await using fleet = new Fleet([server.address]);
    const [a, b] = await pair(fleet);
    const before = epochsOf(a, b);
    await using link = await connectNats({ servers: [server.address], name: "bimride-test" });
    const manager = await jetstreamManager(link.connection, { checkAPI: false, timeout: 500 });
    for (let round = 0; round < 3; round++) {
      await server.kill("SIGKILL");
      await server.start();
      await untilStream(manager, fleet, allWritten);
      await fleet.spread([a, b]);
    }
    const after = epochsOf(a, b);
    // Each goes on with the partitions that it had.
    expect(after.map((each) => [...each.keys()].toSorted())).toEqual(
      before.map((each) => [...each.keys()].toSorted()),
    );
  });

  test("the servers are away for long: leases lapse, and come back under larger epochs", async () => {
    await using server = await startNats();
    await using fleet = new Fleet([server.address]);
    const [a, b] = await pair(fleet);
    const before = epochsOf(a, b);
    await server.kill("SIGKILL");
    await until(() => validOf(a).size + validOf(b).size === 0);
    expect([a.held.length, b.held.length]).toEqual([8, 8]);
    await sleep(3_000);
    await server.start();
    await fleet.spread([a, b]);
    for (const [i, each] of epochsOf(a, b).entries())
      for (const [partition, epoch] of each) expect(epoch).toBeGreaterThan(before[i]!.get(partition)!);
    expect(fleet.errors.length).toBeLessThan(6);
  });

  test("the server stands still for long: nobody took what lapsed, so it goes on under the same epochs", async () => {
    await using server = await startNats();
    await using fleet = new Fleet([server.address]);
    const [a, b] = await pair(fleet);
    const before = epochsOf(a, b);
    await server.kill("SIGSTOP");
    await until(() => validOf(a).size + validOf(b).size === 0);
    await sleep(3_000);
    await server.kill("SIGCONT");
    await fleet.spread([a, b]);
    await sleep(DEFAULT_LIMITS.memberSilentMs);
    expect(epochsOf(a, b)).toEqual(before);
  });

  test.each([
    ["cut", "cut" as const],
    ["half-open", "half-open" as const],
  ])("the link of one is %s: the other takes all, and shares when it is back", async (_name, how) => {
    await using proxy = await startToxiproxy();
    const way = await proxy.link(sharedEngines().nats);
    await using fleet = new Fleet([sharedEngines().nats]);
    const a = await fleet.join("a");
    const b = await fleet.join("b", [way.address]);
    await fleet.spread([a, b]);
    const ofB = b.held;
    const startMs = performance.now();
    if (how === "cut") await way.cut();
    else await way.harm("timeout", { timeout: 0 });
    await until(() => validOf(a).size === PARTITIONS);
    expect(performance.now() - startMs).toBeLessThan(3_500);
    await sleep(2_000);
    await way.heal();
    await fleet.spread([a, b]);
    expect(ofB.some((lease) => lease.valid())).toBe(false);
  });

  test("a slow link costs nobody a lease", async () => {
    await using proxy = await startToxiproxy();
    const way = await proxy.link(sharedEngines().nats);
    await way.harm("latency", { latency: 150, jitter: 50 });
    await using fleet = new Fleet([way.address]);
    const [a, b] = await pair(fleet);
    const before = epochsOf(a, b);
    await sleep(6_000);
    expect(epochsOf(a, b)).toEqual(before);
    expect(fleet.errors).toEqual([]);
  });

  test("the leader of a cluster is killed: nobody is ended for the time without a leader", {
    timeout: 120_000,
  }, async () => {
    await using cluster = await startNatsCluster(3);
    await using fleet = new Fleet([...cluster.addresses], { replicas: 3 });
    const [a, b] = await pair(fleet);
    const before = epochsOf(a, b);
    await using link = await connectNats({ servers: [...cluster.addresses], name: "bimride-test" });
    const manager = await jetstreamManager(link.connection, { checkAPI: false, timeout: 500 });
    const { cluster: raft } = await manager.streams.info(`KV_${fleet.prefix}LEASES_eu1`);
    const leader = cluster.nodes.find(({ serverName }) => serverName === raft?.leader)!;
    const startMs = performance.now();
    await leader.kill("SIGKILL");
    await untilStream(manager, fleet, (info) => (info.cluster?.leader ?? raft?.leader) !== raft?.leader);
    await sleep(DEFAULT_LIMITS.memberRenewMs);
    await fleet.spread([a, b]);
    console.log(`all valid again after ${Math.round(performance.now() - startMs)} ms`);
    await sleep(DEFAULT_LIMITS.memberSilentMs + 1_000);
    expect(epochsOf(a, b)).toEqual(before);
  });

  test("all servers of a cluster are killed and start again", { timeout: 120_000 }, async () => {
    await using cluster = await startNatsCluster(3);
    await using fleet = new Fleet([...cluster.addresses], { replicas: 3 });
    const [a, b] = await pair(fleet);
    await Promise.all(cluster.nodes.map((node) => node.kill("SIGKILL")));
    await until(() => validOf(a).size + validOf(b).size === 0);
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await fleet.spread([a, b]);
  });
});

describe("leases and snapshots that can't be had", () => {
  test("name nats.replicas, and make nothing", async () => {
    const prefix = freshPrefix();
    await using link = await connectNats({ servers: [sharedEngines().nats], name: "bimride-test" });
    const common = { link, prefix, region: "eu1", replicas: 3 };
    const rest = { partitions: 4, memberId: "a", clock: systemClock, limits: DEFAULT_LIMITS };
    const wrong = { name: "EngineError", setting: "nats.replicas" };
    await expect(openNatsLeases({ ...common, ...rest, onError: () => {} })).rejects.toMatchObject(wrong);
    await expect(openNatsSnapshots(common)).rejects.toMatchObject(wrong);
    const manager = await jetstreamManager(link.connection, { checkAPI: false, timeout: 500 });
    expect(await manager.streams.names(`$KV.${prefix}LEASES_eu1.>`).next()).toEqual([]);
    expect(await manager.streams.names(`$O.${prefix}SNAPSHOTS_eu1.>`).next()).toEqual([]);
  });
});

test("the record that these tests rest on finds a planted overlap", async () => {
  const record = new LeaseRecord();
  let older = true;
  record.add([{ partition: 3, epoch: 1, valid: () => older }]);
  record.add([{ partition: 4, epoch: 1, valid: () => true }]);
  expect(record.overlaps()).toEqual([]);
  record.add([{ partition: 3, epoch: 2, valid: () => true }]);
  await sleep(20);
  older = false;
  record.stop();
  expect(record.overlaps()).toEqual([expect.stringMatching(/^3: 1 valid until after 2/)]);
});
