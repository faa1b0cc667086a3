import { appendFile, readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { tempFolder } from "../../../test/kit/temp-folder.ts";
import { VirtualClock } from "../../core/virtual-clock.ts";
import { revocationsContract, signedInOf } from "../contract.ts";
import type { Revocations } from "../revocations.ts";
import { openLocalRevocations } from "./revocations.ts";

const START_MS = 1_700_000_000_000;
const onError = (error: unknown) => {
  throw error;
};

revocationsContract("the local revocations", async () => {
  const folder = await tempFolder();
  const clock = new VirtualClock(START_MS);
  const opened: Revocations[] = [];
  return {
    ...{ clock, shared: false },
    async open(maxRevocations = 1_000) {
      const path = folder.file("sessions/revocations");
      const revocations = await openLocalRevocations({ path, clock, limits: { maxRevocations }, onError });
      opened.push(revocations);
      return revocations;
    },
    async [Symbol.asyncDispose]() {
      for (const each of opened) await each[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
});

test("half a line that a crash left is forgotten, a damaged one is told and not overwritten", async () => {
  await using folder = await tempFolder();
  const path = folder.file("revocations");
  const clock = new VirtualClock(START_MS);
  const open = () => openLocalRevocations({ path, clock, limits: { maxRevocations: 10 }, onError });
  const first = await open();
  await first.revoke({ ...signedInOf("driver/d1"), untilMs: START_MS + 1_000 });
  await appendFile(path, '{"user":"driver/d2","signIn');
  const second = await open();
  expect(second.isRevoked(signedInOf("driver/d1"))).toBe(true);
  expect((await readFile(path, "utf8")).split("\n")).toHaveLength(2);
  await writeFile(path, "not a line\n");
  await expect(open()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(await readFile(path, "utf8")).toBe("not a line\n");
});

test("the file does not grow beyond what holds and a bounded rest", async () => {
  await using folder = await tempFolder();
  const path = folder.file("revocations");
  const clock = new VirtualClock(START_MS);
  const revocations = await openLocalRevocations({ path, clock, limits: { maxRevocations: 5 }, onError });
  for (let i = 0; i < 40; i++) {
    await revocations.revoke({ ...signedInOf(`driver/d${i}`), untilMs: clock.now() + 1_000 });
    clock.advanceTo(clock.now() + 500);
  }
  expect((await readFile(path, "utf8")).split("\n").length).toBeLessThanOrEqual(7);
});
