import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { LogRecord } from "../../eventlog/record.ts";
import { PipelineOutput } from "../../pipeline/output.ts";
import { createPartitionState, processEntry } from "../../pipeline/pipeline.ts";
import { startTestGateway, type TestGateway } from "./kit.ts";
import { RegionPhone } from "./region-rig.ts";

let one: TestGateway;
let other: TestGateway;
beforeAll(async () => {
  one = await startTestGateway();
  other = await startTestGateway({ beside: one });
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await one[Symbol.asyncDispose]();
});

const recordsOf = async (driver: string) =>
  (await one.records()).filter((record) => "party" in record && record.party.id === driver);

/** What the pipeline makes of the driver's records: the sessions that had the marker, and all fixes by session. */
function piped(records: readonly LogRecord[]) {
  const state = createPartitionState(0);
  const holders: { sessionId: string; atMs: number }[] = [];
  const fixes: string[] = [];
  for (const [i, record] of records.entries()) {
    const out = new PipelineOutput();
    const entry = { sequence: i + 1, loggedAtMs: record.receivedAtMs, records: [record] };
    processEntry(state, entry, one.limits, out);
    const [party] = state.parties.driver.values();
    const sessionId = party?.marker?.sessionId;
    if (sessionId && holders.at(-1)?.sessionId !== sessionId)
      holders.push({ sessionId, atMs: state.pipelineTimeMs });
    for (const { batch, fix, disposition } of out.fixes)
      fixes.push(`${batch.sessionId} ${fix.seq} ${disposition}`);
  }
  return { holders, fixes };
}

const ended = (phone: RegionPhone) => vi.waitFor(() => expect(phone.ended).toBe("SUPERSEDED"), 10_000);

test("of two phones of a driver on two gateways exactly one moves the marker, the other is told, both are in history", async () => {
  const first = new RegionPhone(one, "driver-1", "phone-a1");
  await first.hello();
  expect(await first.drive(0)).toBe("ACCEPTED");
  one.clock.shiftMs += 1_000;
  const second = new RegionPhone(other, "driver-1", "phone-b1");
  const { sessionEpoch } = await second.hello();
  await ended(first);
  expect(first.all("superseded")).toEqual([{ kind: "superseded", sessionEpoch, retryAfterMs: 0 }]);
  one.clock.shiftMs += 1_000;
  expect(await second.drive(20)).toBe("ACCEPTED");
  expect(second.ended).toBeUndefined();
  const { holders, fixes } = piped(await recordsOf("driver-1"));
  expect(holders.map(({ sessionId }) => sessionId)).toEqual(["phone-a1", "phone-b1"]);
  expect(fixes).toEqual(["phone-a1 0 applied", "phone-b1 0 applied"]);
  second.close();
});

test("phones that both insist take over at most three times in a minute, are told how long to wait, and lose no fix", async () => {
  const gateways = { "phone-a2": one, "phone-b2": other };
  const seqs = { "phone-a2": 0, "phone-b2": 0 };
  const accepted: string[] = [];
  let standing: RegionPhone | undefined;
  let refusals = 0;
  // Four minutes in which the phone that has no stream tries again every 5 s, whatever it was told.
  for (let atS = 0; atS < 240; atS += 5) {
    const id = atS % 10 === 0 ? "phone-a2" : "phone-b2";
    one.clock.shiftMs += 5_000;
    if (standing && idOf(standing) === id) {
      await send(standing);
      continue;
    }
    const phone = new RegionPhone(gateways[id], "driver-2", id, seqs[id]);
    void phone.hello().catch(() => {});
    await vi.waitFor(() => expect(phone.all("welcome").length + phone.all("superseded").length).toBe(1));
    if (phone.ended !== undefined) {
      refusals++;
      const [{ retryAfterMs } = { retryAfterMs: 0 }] = phone.all("superseded");
      expect(retryAfterMs).toBeGreaterThan(0);
      expect(retryAfterMs).toBeLessThanOrEqual(one.limits.takeOverWindowMs);
      expect(standing?.ended).toBeUndefined();
      continue;
    }
    if (standing) await ended(standing);
    names.set(phone, id);
    standing = phone;
    await send(phone);
  }
  standing?.close();

  async function send(phone: RegionPhone) {
    const id = idOf(phone);
    expect(await phone.drive(accepted.length)).toBe("ACCEPTED");
    accepted.push(`${id} ${seqs[id]++} applied`);
  }

  const { holders, fixes } = piped(await recordsOf("driver-2"));
  const takeOversMs = holders.slice(1).map(({ atMs }) => atMs);
  expect(takeOversMs.length).toBeGreaterThanOrEqual(9);
  for (let i = 3; i < takeOversMs.length; i++)
    expect(takeOversMs[i]! - takeOversMs[i - 3]!).toBeGreaterThanOrEqual(one.limits.takeOverWindowMs);
  expect(refusals).toBeGreaterThan(9);
  expect(fixes).toEqual(accepted);
  const refused = { reason: "take_over_refused" };
  const name = "bimride_ingest_sessions_superseded_total";
  expect((await one.metric(name, refused)) + (await other.metric(name, refused))).toBe(refusals);
});

const names = new Map<RegionPhone, "phone-a2" | "phone-b2">();
const idOf = (phone: RegionPhone) => names.get(phone)!;

test("a gateway that knows nothing of it takes a phone in, and is told by the one that keeps the marker", async () => {
  await using third = await startTestGateway({ beside: one });
  const phones: RegionPhone[] = [];
  for (const [i, gateway] of [one, other, one, other].entries()) {
    one.clock.shiftMs += 1_000;
    const phone = new RegionPhone(gateway, "driver-3", i % 2 === 0 ? "phone-a3" : "phone-b3", i);
    await phone.hello();
    phones.push(phone);
  }
  const holder = phones[3]!;
  await ended(phones[2]!);
  one.clock.shiftMs += 1_000;
  const newcomer = new RegionPhone(third, "driver-3", "phone-c3");
  void newcomer.hello().catch(() => {});
  await ended(newcomer);
  const [{ retryAfterMs } = { retryAfterMs: 0 }] = newcomer.all("superseded");
  expect(retryAfterMs).toBeGreaterThan(50_000);
  // From then on it knows.
  const again = new RegionPhone(third, "driver-3", "phone-c3");
  void again.hello().catch(() => {});
  await ended(again);
  expect(holder.ended).toBeUndefined();
  one.clock.shiftMs += 1_000;
  expect(await holder.drive(10)).toBe("ACCEPTED");
  const { holders, fixes } = piped(await recordsOf("driver-3"));
  expect(holders.at(-1)?.sessionId).toBe("phone-b3");
  expect(fixes).toEqual(["phone-b3 3 applied"]);
  holder.close();
});
