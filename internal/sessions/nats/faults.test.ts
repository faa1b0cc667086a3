import { expect, test, vi } from "vitest";
import { startNats } from "../../../test/kit/engines/nats.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { signedInOf } from "../contract.ts";
import { natsRevocationsProcess, removeTestRevocations } from "./kit.ts";

const START_MS = 1_700_000_000_000;
const until = (forMs: number) => START_MS + forMs;
const DAY_MS = 86_400_000;
const soon = { timeout: 15_000, interval: 20 };

test("while the servers are away what is known goes on to hold, and a revoke is refused; then all is as it was", async () => {
  await using server = await startNats();
  const clock = new VirtualClock(START_MS);
  await using one = await natsRevocationsProcess(server.address, "", clock);
  await using other = await natsRevocationsProcess(server.address, "", clock);
  await one.revocations.revoke({ ...signedInOf("driver/d1"), untilMs: until(DAY_MS) });
  await vi.waitFor(() => expect(other.revocations.isRevoked(signedInOf("driver/d1"))).toBe(true), soon);
  await server.kill("SIGKILL");
  await vi.waitFor(() => expect(one.link.connected || other.link.connected).toBe(false), soon);
  const second = { ...signedInOf("driver/d2"), untilMs: until(DAY_MS) };
  await expect(one.revocations.revoke(second)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(one.revocations.isRevoked(signedInOf("driver/d2"))).toBe(false);
  expect(other.revocations.isRevoked(signedInOf("driver/d1"))).toBe(true);
  await server.start();
  await vi.waitFor(() => one.revocations.revoke(second), soon);
  await vi.waitFor(() => expect(other.revocations.isRevoked(signedInOf("driver/d2"))).toBe(true), soon);
  await using late = await natsRevocationsProcess(server.address, "", clock);
  for (const user of ["driver/d1", "driver/d2"])
    expect(late.revocations.isRevoked(signedInOf(user))).toBe(true);
});

test("what was revoked while a process had lost its servers is heard when it finds them again", async () => {
  await using server = await startNats();
  const clock = new VirtualClock(START_MS);
  await using one = await natsRevocationsProcess(server.address, "", clock);
  await using other = await natsRevocationsProcess(server.address, "", clock);
  const heard = vi.fn();
  other.revocations.watch(heard);
  // Its watch breaks and nobody tells it so.
  await server.kill("SIGKILL");
  await vi.waitFor(() => expect(other.link.connected).toBe(false), soon);
  await server.start();
  const meant = { ...signedInOf("driver/d1"), untilMs: until(DAY_MS) };
  await vi.waitFor(() => one.revocations.revoke(meant), soon);
  await vi.waitFor(() => expect(heard).toHaveBeenCalledWith(meant), soon);
});

test("a bucket that was lost is made again with what the processes know", async () => {
  await using server = await startNats();
  const clock = new VirtualClock(START_MS);
  await using one = await natsRevocationsProcess(server.address, "", clock);
  await one.revocations.revoke({ ...signedInOf("driver/d1"), untilMs: until(DAY_MS) });
  await removeTestRevocations(one.link, "");
  await vi.waitFor(async () => {
    await using late = await natsRevocationsProcess(server.address, "", clock);
    expect(late.revocations.isRevoked(signedInOf("driver/d1"))).toBe(true);
  }, soon);
  expect(one.revocations.isRevoked(signedInOf("driver/d1"))).toBe(true);
});

test("what is no revocation in the bucket is told and disturbs nobody", async () => {
  await using server = await startNats();
  const clock = new VirtualClock(START_MS);
  await using one = await natsRevocationsProcess(server.address, "", clock);
  const { Kvm } = await import("@nats-io/kv");
  await (await new Kvm(one.link.connection).open("revocations_se1")).put("odd", "{}");
  await vi.waitFor(() => expect(one.errors).toHaveLength(1), soon);
  await one.revocations.revoke({ ...signedInOf("driver/d1"), untilMs: until(DAY_MS) });
  await using late = await natsRevocationsProcess(server.address, "", clock);
  expect(late.revocations.isRevoked(signedInOf("driver/d1"))).toBe(true);
});
