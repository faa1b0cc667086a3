import { readdir, readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { leasesContract, snapshotsContract } from "../contract.ts";
import type { Lease } from "../lease.ts";
import { openLocalLeases } from "./leases.ts";
import { openFileSnapshots } from "./snapshots.ts";

leasesContract("the local leases", async () => {
  const folder = await tempFolder();
  return {
    open: ({ clock, partitions }) =>
      openLocalLeases({ path: folder.file("data/epochs"), partitions, clock, handOverMs: 5_000 }),
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
});

snapshotsContract("the snapshot files", async () => {
  const folder = await tempFolder();
  return {
    open: () => openFileSnapshots(folder.path),
    async damage(name, change) {
      const path = folder.file(`${name}.snapshot`);
      await writeFile(path, change(await readFile(path)));
    },
    [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
  };
});

describe("the local engines", () => {
  test("what a crash left half written is removed at the next start", async () => {
    await using folder = await tempFolder();
    await writeFile(folder.file("live-07.snapshot.123.part"), "half");
    const snapshots = await openFileSnapshots(folder.path);
    await snapshots.save("live-07", new Uint8Array([1]));
    expect(await readdir(folder.path)).toEqual(["live-07.snapshot"]);
  });

  test("names that could leave the folder are refused", async () => {
    await using folder = await tempFolder();
    const snapshots = await openFileSnapshots(folder.path);
    await expect(snapshots.save("../live", new Uint8Array())).rejects.toThrow(RangeError);
    await expect(snapshots.load("a/b")).rejects.toThrow(RangeError);
  });

  test("a listener that never ends what it stores does not hold up the end for ever", async () => {
    await using folder = await tempFolder();
    const path = folder.file("epochs");
    const leases = await openLocalLeases({ path, partitions: 2, clock: { now: () => 1 }, handOverMs: 50 });
    let held: readonly Lease[] = [];
    await leases.held((now) => {
      if (now.length === 0) return new Promise(() => {});
      held = now;
    });
    await leases[Symbol.asyncDispose]();
    expect(held.map((lease) => lease.valid())).toEqual([false, false]);
  });

  test("a damaged file of epochs is refused instead of starting with smaller ones", async () => {
    await using folder = await tempFolder();
    await writeFile(folder.file("epochs"), "12\nabc\n");
    await expect(
      openLocalLeases({
        path: folder.file("epochs"),
        partitions: 2,
        clock: { now: () => 1 },
        handOverMs: 50,
      }),
    ).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});
