import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock } from "../../core/time.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import type { SpoolEvent } from "./events.ts";
import { recordBytes } from "./record.ts";
import { openSpool, type Spool } from "./spool.ts";
import { TestDisk } from "./test-disk.ts";

const body = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function open(disk: TestDisk, { maxBytes = 1 << 20, clock = systemClock } = {}) {
  const events: SpoolEvent[] = [];
  const onEvent = (event: SpoolEvent) => void events.push(event);
  const spool = await openSpool({ folder: "", region: "test", maxBytes, clock, onEvent, files: disk });
  return { spool, events, of: (kind: SpoolEvent["kind"]) => events.filter((event) => event.kind === kind) };
}

async function drain(spool: Spool): Promise<string[]> {
  const texts: string[] = [];
  for (let taken = await spool.take(); taken; taken = await spool.take()) {
    texts.push(`${taken.partition} ${text(taken.body)}`);
    spool.done(taken);
  }
  await spool.tidy();
  return texts;
}

const writeAll = (spool: Spool, texts: readonly string[]) =>
  Promise.all(texts.map((one) => spool.write(3, body(one))));

test("gives back what was written, in order, and then takes no room any more", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk);
  const positions = await writeAll(spool, ["a", "b", "c"]);
  expect(positions).toEqual([1, 2, 3]);
  expect(spool.depth).toMatchObject({ entries: 3, bytes: 3 * recordBytes(1) });
  expect(spool.fateOf(1, 3)).toBe("waiting");
  expect(await drain(spool)).toEqual(["3 a", "3 b", "3 c"]);
  expect(spool.fateOf(1, 3)).toBe("drained");
  expect(spool.isEmpty).toBe(true);
  expect(spool.depth).toEqual({ entries: 0, bytes: 0, oldestAtMs: 0 });
  expect(disk.names).toEqual(["cursor"]);
  await spool[Symbol.asyncDispose]();
  expect(disk.openHandles).toBe(0);
});

test("what comes together shares one sync, and nothing is told before it", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk);
  const told = writeAll(
    spool,
    Array.from({ length: 500 }, (_, i) => `${i}`),
  );
  await told;
  expect(disk.syncs).toBe(1);
  expect(await drain((await open(disk.crashed(0))).spool)).toHaveLength(500);
});

test("a drain that was interrupted goes on behind the cursor, over many segments", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk, { maxBytes: 40_000 });
  const texts = Array.from({ length: 300 }, (_, i) => `entry ${i} ${"x".repeat(50)}`);
  for (const one of texts) await spool.write(1, body(one));
  expect(disk.names.length).toBeGreaterThan(3);
  for (let i = 0; i < 200; i++) spool.done((await spool.take())!);
  await spool[Symbol.asyncDispose]();
  expect(disk.openHandles).toBe(0);
  const again = await open(disk, { maxBytes: 40_000 });
  expect(again.spool.depth.entries).toBe(100);
  expect(await again.spool.write(1, body("new"))).toBeGreaterThan(300);
  expect(await drain(again.spool)).toEqual([...texts.slice(200), "new"].map((one) => `1 ${one}`));
});

test("records that are done out of order are given back only behind the first that is not", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk);
  await writeAll(spool, ["a", "b", "c"]);
  const [, b, c] = [await spool.take(), await spool.take(), await spool.take()];
  spool.done(b!);
  spool.done(c!);
  expect(spool.fateOf(2, 3)).toBe("waiting");
  await spool[Symbol.asyncDispose]();
  expect(await drain((await open(disk)).spool)).toEqual(["3 a", "3 b", "3 c"]);
});

test("a full spool refuses with LOG_FULL and takes again what has room once it drained", async () => {
  const disk = new TestDisk();
  const { spool, of } = await open(disk, { maxBytes: recordBytes(10) * 8 });
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) => spool.write(0, body(`${i}`.padStart(10)))),
  );
  expect(results.map(({ status }) => status)).toEqual([
    ...Array(8).fill("fulfilled"),
    ...Array(2).fill("rejected"),
  ]);
  expect(results[9]).toMatchObject({ reason: { code: "LOG_FULL" } });
  expect(spool.trouble).toMatchObject({ code: "LOG_FULL" });
  expect(of("refused")).toHaveLength(2);
  expect(await drain(spool)).toHaveLength(8);
  await spool.write(0, body("again"));
  expect(await drain(spool)).toEqual(["0 again"]);
});

test.each([
  ["ENOSPC", "LOG_FULL"],
  ["EDQUOT", "LOG_FULL"],
  ["EIO", "LOG_UNAVAILABLE"],
])(
  "a disk that answers %s refuses with %s, keeps what it told, and is asked again",
  async (failure, code) => {
    const disk = new TestDisk();
    const clock = new VirtualClock(1_000);
    const { spool } = await open(disk, { clock });
    await spool.write(0, body("before"));
    disk.failure = failure;
    await expect(spool.write(0, body("refused"))).rejects.toMatchObject({ code });
    disk.failure = undefined;
    await expect(spool.write(0, body("still resting"))).rejects.toMatchObject({ code });
    clock.advanceTo(clock.now() + 300);
    await spool.write(0, body("after"));
    expect(await drain((await open(disk.crashed(1))).spool)).toEqual(["0 before", "0 after"]);
    expect(await drain(spool)).toEqual(["0 before", "0 after"]);
  },
);

test("a disk that is full in the middle of a record keeps all records before it", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk);
  await spool.write(0, body("first"));
  disk.capacityBytes = disk.usedBytes + 20;
  await expect(spool.write(0, body("second"))).rejects.toMatchObject({ code: "LOG_FULL" });
  expect(await drain((await open(disk.crashed(1))).spool)).toEqual(["0 first"]);
});

test("wherever a crash cuts the file, every record before the cut is there and nothing else", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk);
  const texts = ["one", "two, a longer one", "three"];
  await writeAll(spool, texts);
  const name = disk.names.find((one) => one.endsWith(".seg"))!;
  const whole = Buffer.from(disk.bytesOf(name));
  const ends = texts.map((_, i) =>
    texts.slice(0, i + 1).reduce((sum, one) => sum + recordBytes(one.length), 0),
  );
  for (let cut = 0; cut <= whole.length; cut++) {
    const after = new TestDisk();
    await (await after.open(name)).write(whole.subarray(0, cut), 0);
    const { spool: found, events } = await open(after);
    const good = ends.filter((end) => end <= cut);
    expect(events[0]).toMatchObject({ entries: good.length, tornBytes: cut - (good.at(-1) ?? 0) });
    expect(await drain(found)).toEqual(texts.slice(0, good.length).map((one) => `3 ${one}`));
    await found[Symbol.asyncDispose]();
  }
});

test("whatever byte in the middle rots, it is told, and all other records are there", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk);
  const texts = ["one", "two, a longer one", "three"];
  await writeAll(spool, texts);
  const name = disk.names.find((one) => one.endsWith(".seg"))!;
  const whole = Buffer.from(disk.bytesOf(name));
  const [start, end] = [recordBytes(3), recordBytes(3) + recordBytes(texts[1]!.length)];
  for (let at = start; at < end; at++) {
    const after = new TestDisk();
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0x41;
    await (await after.open(name)).write(damaged, 0);
    const { spool: found, of } = await open(after);
    expect(await drain(found), `byte ${at}`).toEqual(["3 one", "3 three"]);
    expect(of("damaged")).toEqual([{ kind: "damaged", entries: 1 }]);
    expect(found.isEmpty).toBe(true);
  }
});

test("a record that rots while the process runs is told as lost, not as drained", async () => {
  const disk = new TestDisk();
  const { spool, of } = await open(disk);
  await writeAll(spool, ["one", "two", "three"]);
  const name = disk.names.find((one) => one.endsWith(".seg"))!;
  disk.bytesOf(name)[recordBytes(3) + recordBytes(2)]! ^= 1;
  expect(await drain(spool)).toEqual(["3 one", "3 three"]);
  expect([1, 2, 3].map((position) => spool.fateOf(position, position))).toEqual([
    "drained",
    "lost",
    "drained",
  ]);
  expect(spool.fateOf(1, 3)).toBe("lost");
  expect(of("damaged")).toHaveLength(1);
  await writeAll(spool, ["last"]);
  const last = disk.names.find((one) => one.endsWith(".seg"))!;
  disk.bytesOf(last)[37]! ^= 1;
  expect(await drain(spool)).toEqual([]);
  expect(spool.fateOf(4, 4)).toBe("lost");
  expect(spool.isEmpty).toBe(true);
});

test("records that went with a file, or with the end of one, are told as lost", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk, { maxBytes: 4_000 });
  const texts = Array.from({ length: 40 }, (_, i) => `entry ${i} `.padEnd(50, "x"));
  for (const one of texts) await spool.write(3, body(one));
  for (let i = 0; i < 3; i++) spool.done((await spool.take())!);
  await spool[Symbol.asyncDispose]();
  const [, second, third] = disk.names.filter((name) => name.endsWith(".seg"));
  const perSegment = disk.bytesOf(second!).length / recordBytes(50);
  await disk.remove(second!);
  await (await disk.open(third!)).truncate(recordBytes(50));
  const again = await open(disk, { maxBytes: 4_000 });
  expect(await drain(again.spool)).toHaveLength(40 - 3 - perSegment - (perSegment - 1));
  const lost = again.of("damaged").reduce((sum, event) => sum + ("entries" in event ? event.entries : 0), 0);
  expect(lost).toBe(perSegment + (perSegment - 1));
});

test("what was drained and removed, or never written, is not told as lost", async () => {
  const disk = new TestDisk();
  const clock = new VirtualClock(1_000);
  const { spool, of } = await open(disk, { maxBytes: 4_000, clock });
  const texts = Array.from({ length: 40 }, (_, i) => `entry ${i} `.padEnd(50, "x"));
  for (const one of texts.slice(0, 20)) await spool.write(3, body(one));
  disk.capacityBytes = disk.usedBytes + 20;
  await expect(spool.write(3, body("refused"))).rejects.toMatchObject({ code: "LOG_FULL" });
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  clock.advanceTo(clock.now() + 300);
  for (const one of texts.slice(20)) await spool.write(3, body(one));
  for (let i = 0; i < 25; i++) {
    spool.done((await spool.take())!);
    await spool.tidy();
  }
  const again = await open(disk.crashed(0), { maxBytes: 4_000, clock });
  expect((await drain(again.spool)).at(-1)).toBe(`3 ${texts.at(-1)}`);
  await drain(spool);
  expect([...of("damaged"), ...again.of("damaged")]).toEqual([]);
});

test("a cursor that rotted repeats the drain, nothing else", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk);
  await writeAll(spool, ["a", "b"]);
  spool.done((await spool.take())!);
  await spool[Symbol.asyncDispose]();
  disk.bytesOf("cursor").fill(7);
  expect(await drain((await open(disk)).spool)).toEqual(["3 a", "3 b"]);
});

test("a body that looks like a record of the spool is not taken for one", async () => {
  const disk = new TestDisk();
  const { spool } = await open(disk);
  await writeAll(spool, ["planted"]);
  const planted = Buffer.from(disk.bytesOf(disk.names.find((one) => one.endsWith(".seg"))!));
  await drain(spool);
  await spool.write(0, planted);
  await spool.write(0, body("next"));
  disk.bytesOf(disk.names.find((one) => one.endsWith(".seg"))!)[0]! ^= 1;
  expect(await drain(spool)).toEqual(["0 next"]);
});

test("any bodies come back as they were", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 30 }), async (bodies) => {
      const { spool } = await open(new TestDisk(), { maxBytes: 1 << 20 });
      await Promise.all(bodies.map((one, i) => spool.write(i % 4, one)));
      const back: Uint8Array[] = [];
      for (let taken = await spool.take(); taken; taken = await spool.take()) back.push(taken.body);
      expect(back.map((one) => [...one])).toEqual(bodies.map((one) => [...one]));
    }),
    { numRuns: 50 },
  );
});
