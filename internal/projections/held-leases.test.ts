import { describe, expect, test } from "vitest";
import { BimrideError } from "../core/errors.ts";
import type { Lease } from "../partitions/lease.ts";
import { HERE } from "../pipeline/test-drives.ts";
import { HeldLeases } from "./held-leases.ts";
import { HistoryView } from "./history.ts";
import { Projection } from "./projection.ts";
import * as kit from "./test-world.ts";

const leaseOf = (partition: number, epoch: number): Lease => ({ partition, epoch, valid: () => true });

/** What a projection is asked to own, and the epochs that hold at that moment. */
function recorder(held: HeldLeases, fails: () => boolean = () => false) {
  const asked: string[] = [];
  return {
    asked,
    async own(partitions: readonly number[]) {
      const epochs = [1, 2, 3].map((partition) => held.lease(partition)?.epoch ?? "-");
      asked.push(`${partitions.join()} under ${epochs.join()}`);
      if (fails()) throw new BimrideError("STORE_UNAVAILABLE");
    },
  };
}

describe("the leases that projections write under", () => {
  test("what is given away keeps its lease until it is stored, what is new has it before it is taken", async () => {
    const held = new HeldLeases();
    const projection = recorder(held);
    await held.follow([leaseOf(1, 5), leaseOf(2, 5)], [projection]);
    await held.follow([leaseOf(2, 5)], [projection]);
    await held.follow([leaseOf(2, 5), leaseOf(3, 9)], [projection]);
    expect(projection.asked).toEqual(["1,2 under 5,5,-", "2 under 5,5,-", "2,3 under -,5,9"]);
    expect(held.lease(1)).toBeUndefined();
  });

  test("only what is missing and still valid is given away: what was lost is over", async () => {
    const held = new HeldLeases();
    const lost: Lease = { partition: 3, epoch: 5, valid: () => false };
    await held.follow([leaseOf(1, 5), leaseOf(2, 5), lost], [recorder(held)]);
    expect(held.givenAway([leaseOf(1, 6)])).toEqual([2]);
    expect(held.givenAway([leaseOf(1, 5), leaseOf(2, 5)])).toEqual([]);
  });

  test("what comes back under another epoch is let go under the old one first", async () => {
    const held = new HeldLeases();
    const projection = recorder(held);
    await held.follow([leaseOf(1, 5), leaseOf(2, 5)], [projection]);
    await held.follow([leaseOf(1, 6), leaseOf(2, 5)], [projection]);
    expect(projection.asked.slice(1)).toEqual(["2 under 5,5,-", "1,2 under 6,5,-"]);
  });

  test("all projections let go before a failure of one is told", async () => {
    const held = new HeldLeases();
    let fails = false;
    const [failing, slow] = [recorder(held, () => fails), recorder(held)];
    await held.follow([leaseOf(1, 5)], [failing, slow]);
    fails = true;
    await expect(held.follow([], [failing, slow])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(slow.asked.at(-1)).toBe(" under 5,-,-");
    expect(held.lease(1)).toBeUndefined();
  });
});

test("a snapshot that can't be loaded holds up its partition only, and is tried again until it can", async () => {
  await using world = await kit.openWorld();
  let away = true;
  const snapshots = new Proxy(world.snapshots, {
    get(target, name) {
      const member = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      return async (...args: unknown[]) => {
        if (away && name === "load" && args[0] === "history-02") throw new BimrideError("STORE_UNAVAILABLE");
        return member.apply(target, args);
      };
    },
  });
  const view = new HistoryView({ ...world, storePeriodMs: 0, chunkRewriteMs: 0 });
  await using projection = await Projection.start({ ...world, snapshots }, view, [1]);
  await expect(projection.own([1, HERE])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(projection.partitions).toEqual([1]);
  expect(projection.health()).toBe("history projection is catching up");
  await kit.appendAll(world.log, [kit.tickAt(world.clock.now())]);
  world.clock.advanceTo(world.clock.now() + 1_000);
  away = false;
  await kit.until(() => {
    world.clock.advanceTo(world.clock.now() + 1_000);
    return projection.partitions.length === 2;
  });
  await kit.stored(world, projection);
  expect(projection.health()).toBeUndefined();
});

test("a projection that can't restore its partitions at the start leaves nothing behind", async () => {
  await using world = await kit.openWorld();
  const snapshots = { ...world.snapshots, load: () => Promise.reject(new BimrideError("STORE_UNAVAILABLE")) };
  const view = new HistoryView({ ...world, storePeriodMs: 1_000, chunkRewriteMs: 0 });
  await expect(Projection.start({ ...world, snapshots }, view)).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
});
