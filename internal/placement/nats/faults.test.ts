import { Kvm } from "@nats-io/kv";
import { expect, test } from "vitest";
import { startNats } from "../../../test/kit/engines/nats.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { nodeOf, untilLive } from "../contract.ts";
import { natsNodesProcess } from "./kit.ts";

test("a bucket that lost its content is written again by every node, and its watchers go on", async () => {
  await using server = await startNats();
  await using one = await natsNodesProcess(server.address, "");
  await using other = await natsNodesProcess(server.address, "");
  await using observer = await natsNodesProcess(server.address, "");
  await one.nodes.announce(nodeOf("n1"));
  await other.nodes.announce(nodeOf("n2"));
  await untilLive(observer.nodes, "edge", "n1", "n2");
  const bucket = await new Kvm(observer.link.connection).open("nodes_se1");
  await bucket.destroy();

  await using late = await natsNodesProcess(server.address, "");
  await untilLive(late.nodes, "edge", "n1", "n2");
  await using newcomer = await natsNodesProcess(server.address, "");
  await newcomer.nodes.announce(nodeOf("n3"));
  for (const { nodes } of [one, other, observer]) await untilLive(nodes, "edge", "n1", "n2", "n3");
});

test("while the servers are away the last view stands; then it is true again, and the outage was told once", async () => {
  await using server = await startNats();
  await using one = await natsNodesProcess(server.address, "");
  const clock = new VirtualClock(1_700_000_000_000);
  await using other = await natsNodesProcess(server.address, "", { clock });
  await one.nodes.announce(nodeOf("n1"));
  const second = await one.nodes.announce(nodeOf("n2"));
  await other.nodes.announce(nodeOf("n3"));
  await untilLive(other.nodes, "edge", "n1", "n2", "n3");
  await server.kill("SIGKILL");
  while (one.link.connected || other.link.connected) await new Promise((resolve) => setTimeout(resolve, 10));
  clock.advanceTo(clock.now() + 60_000);
  expect(other.nodes.live("edge")).toHaveLength(3);
  await second[Symbol.asyncDispose]();
  await server.start();
  await untilLive(one.nodes, "edge", "n1", "n3");
  while (other.nodes.live("edge").length > 2) {
    clock.advanceTo(clock.now() + 50);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await untilLive(other.nodes, "edge", "n1", "n3");
  expect(one.errors.length).toBeLessThanOrEqual(1);
});

test("what is no node in the bucket is told and disturbs nobody", async () => {
  await using server = await startNats();
  await using one = await natsNodesProcess(server.address, "");
  const bucket = await new Kvm(one.link.connection).open("nodes_se1");
  const odd = { ...nodeOf("n1"), kind: "moon" };
  for (const value of ["", "{", "null", "[]", JSON.stringify(odd), JSON.stringify(nodeOf("another"))])
    await bucket.put("edge.n1", value);
  await using other = await natsNodesProcess(server.address, "");
  await other.nodes.announce(nodeOf("n2"));
  await untilLive(one.nodes, "edge", "n2");
  expect(one.errors).toHaveLength(1);
});

test("a node that ends while the server does not answer waits for it no longer than a second", async () => {
  await using server = await startNats();
  await using one = await natsNodesProcess(server.address, "");
  const shown = await Promise.all(["n1", "n2"].map((id) => one.nodes.announce(nodeOf(id))));
  await server.kill("SIGSTOP");
  const startMs = performance.now();
  await Promise.all(shown.map((each) => each[Symbol.asyncDispose]()));
  expect(performance.now() - startMs).toBeLessThan(1_500);
  expect(one.nodes.live("edge")).toEqual([]);
  await server.kill("SIGCONT");
});
