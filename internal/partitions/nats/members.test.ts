import { describe, expect, test } from "vitest";
import { sharedEngines } from "../../../test/kit/engines/shared.ts";
import { Fleet, PARTITIONS, until, validOf } from "./fleet.ts";

const shared = () => [sharedEngines().nats];
const partitionsOf = (member: Parameters<typeof validOf>[0]) => [...validOf(member).keys()].toSorted();

describe("the members of a region", () => {
  test("share the partitions evenly, and no more of them move than must when one joins or leaves", async () => {
    await using fleet = new Fleet(shared());
    const a = await fleet.join("a");
    await fleet.spread([a]);
    const atFirst = new Map(validOf(a));
    const b = await fleet.join("b");
    await fleet.spread([a, b]);
    for (const [partition, epoch] of validOf(a)) expect(atFirst.get(partition)).toBe(epoch);
    const [ofA, ofB] = [new Map(validOf(a)), new Map(validOf(b))];
    const c = await fleet.join("c");
    await fleet.spread([a, b, c]);
    for (const [partition, epoch] of validOf(a)) expect(ofA.get(partition)).toBe(epoch);
    for (const [partition, epoch] of validOf(b)) expect(ofB.get(partition)).toBe(epoch);
    const kept = new Map([...validOf(a), ...validOf(c)]);
    const startMs = performance.now();
    await b.leave();
    await fleet.spread([a, c]);
    expect(performance.now() - startMs).toBeLessThan(1_500); // no timeout was waited for
    const after = new Map([...validOf(a), ...validOf(c)]);
    for (const [partition, epoch] of kept) expect(after.get(partition)).toBe(epoch);
    expect(fleet.errors).toEqual([]);
  });

  test("take over what one had that was killed", async () => {
    await using fleet = new Fleet(shared());
    const a = await fleet.join("a");
    const [b, c] = await Promise.all([fleet.spawn("b"), fleet.spawn("c")]);
    await fleet.spread([a, b, c]);
    const ofC = new Map(validOf(c));
    const startMs = performance.now();
    await c.kill("SIGKILL");
    await fleet.spread([a, b]);
    const tookMs = performance.now() - startMs;
    console.log(`taken over after ${Math.round(tookMs)} ms`);
    expect(tookMs).toBeLessThan(3_000);
    const after = new Map([...validOf(a), ...validOf(b)]);
    for (const [partition, epoch] of ofC) expect(after.get(partition)).toBeGreaterThan(epoch);
  });

  test("take over from one that stands still, which finds itself invalid when it wakes and joins anew", async () => {
    await using fleet = new Fleet(shared());
    const a = await fleet.join("a");
    const b = await fleet.spawn("b");
    await fleet.spread([a, b]);
    const ofB = new Map(validOf(b));
    await b.kill("SIGSTOP");
    await until(() => validOf(a).size === PARTITIONS);
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    const { lines } = b;
    await b.kill("SIGCONT");
    await until(() => b.lines > lines);
    // Nothing of what it had is valid in any line from then on: fleet.record would tell.
    await fleet.spread([a, b]);
    for (const [partition, epoch] of validOf(b)) expect(epoch).toBeGreaterThan(ofB.get(partition) ?? 0);
  });

  test("alone, one that stood still goes on with what it had", async () => {
    await using fleet = new Fleet(shared());
    const a = await fleet.spawn("a");
    await fleet.spread([a]);
    const before = new Map(validOf(a));
    await a.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    const { lines } = a;
    await a.kill("SIGCONT");
    await until(() => a.lines > lines + 1);
    await fleet.spread([a]);
    expect(validOf(a)).toEqual(before);
  });

  test("all killed, are followed by one that waits no longer than it must", async () => {
    await using fleet = new Fleet(shared());
    const crew = await Promise.all(["a", "b"].map((name) => fleet.spawn(name)));
    await fleet.spread(crew);
    await Promise.all(crew.map((each) => each.kill("SIGKILL")));
    const startMs = performance.now();
    const c = await fleet.join("c");
    await fleet.spread([c]);
    expect(performance.now() - startMs).toBeLessThan(3_500);
  });
});

describe("a hand-over", () => {
  test("waits for the owner to store what is open, and no longer", async () => {
    await using fleet = new Fleet(shared());
    const a = await fleet.join("a");
    await fleet.spread([a]);
    const all = a.held;
    const told = Promise.withResolvers<void>();
    const stored = Promise.withResolvers<void>();
    a.wait = (now) => {
      if (now.length === PARTITIONS) return;
      told.resolve();
      return stored.promise;
    };
    const b = await fleet.join("b");
    await told.promise;
    // Longer than a silent member lives.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(all.every((lease) => lease.valid())).toBe(true);
    expect(b.held).toEqual([]);
    a.wait = () => {};
    const startMs = performance.now();
    stored.resolve();
    await fleet.spread([a, b]);
    expect(performance.now() - startMs).toBeLessThan(1_000);
  });

  test("ends after handOverMs, whatever the owner does", async () => {
    await using fleet = new Fleet(shared(), { limits: { handOverMs: 500 } });
    const a = await fleet.join("a");
    await fleet.spread([a]);
    const all = a.held;
    a.wait = () => new Promise(() => {});
    const b = await fleet.join("b");
    await until(() => validOf(b).size === PARTITIONS / 2);
    const left = all.filter((lease) => lease.valid()).map(({ partition }) => partition);
    expect([...left, ...partitionsOf(b)].toSorted()).toEqual(
      all.map(({ partition }) => partition).toSorted(),
    );
  });

  test("of a listener that fails goes on, and it hears of what comes next", async () => {
    await using fleet = new Fleet(shared());
    const a = await fleet.join("a");
    await fleet.spread([a]);
    a.wait = () => {
      throw new RangeError("it fails");
    };
    const b = await fleet.join("b");
    await fleet.spread([a, b]);
    expect(fleet.errors.map(String)).toEqual(["RangeError: it fails"]);
    a.wait = () => {};
    await b.leave();
    await fleet.spread([a]);
  });
});
