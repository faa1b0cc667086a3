import { expect, test, vi } from "vitest";
import type { IngestTransport } from "./clients.ts";
import { cases, fixesMessage, goodFix, nth, useRig, verdictsOf } from "./conformance-rig.ts";

const PATIENCE = { timeout: 20_000 };

/** The part of the conformance suite that needs a gateway with a spool: what clients see while the log is away. */
export function spoolConformance(transport: IngestTransport): void {
  const rig = useRig(transport, true);
  const { open, recordsOf, storedSeqs } = rig;
  const depth = () => rig.gateway.metric("bimride_spool_depth_entries");
  const drained = () =>
    vi.waitFor(async () => expect(await rig.gateway.metric("bimride_spool_log_away")).toBe(0), PATIENCE);

  test.each(["LOG_UNAVAILABLE", "LOG_FULL"] as const)(
    "answers BUFFERED while the log answers %s, once per fix, and DUPLICATE when it is back and has them",
    async (failure) => {
      const { client, driver } = await open();
      client.send(fixesMessage([goodFix(0)]));
      expect(verdictsOf(await nth(client, "ack"))).toEqual({ 0: "ACCEPTED" });
      rig.gateway.log.failure = failure;
      client.send(fixesMessage([goodFix(1), goodFix(2), { ...goodFix(3), accuracyM: -1 }], 5));
      const ack = await nth(client, "ack", 2);
      expect(ack.batchId).toBe(5);
      expect(verdictsOf(ack)).toEqual({ 1: "BUFFERED", 2: "BUFFERED", 3: "INVALID" });
      client.send(fixesMessage([goodFix(0), goodFix(1), goodFix(2), goodFix(4)]));
      expect(verdictsOf(await nth(client, "ack", 3))).toEqual({
        ...{ 0: "DUPLICATE", 1: "BUFFERED", 2: "BUFFERED", 4: "BUFFERED" },
      });
      expect(await depth()).toBeGreaterThan(0);
      expect(await storedSeqs(driver)).toEqual([0]);
      rig.gateway.log.failure = undefined;
      await drained();
      expect(await storedSeqs(driver)).toEqual([0, 1, 2, 4]);
      if (transport.streams) {
        await vi.waitFor(() => expect(settledSeqs(client)).toEqual([1, 2, 4]), PATIENCE);
      }
      client.send(fixesMessage([goodFix(1), goodFix(4), goodFix(5)], 9));
      const after = await vi.waitFor(() => {
        const found = cases(client, "ack").find(({ value }) => value.batchId === 9);
        expect(found).toBeDefined();
        return found;
      }, PATIENCE);
      expect(verdictsOf(after!.value)).toEqual({ 1: "DUPLICATE", 4: "DUPLICATE", 5: "ACCEPTED" });
      expect(await storedSeqs(driver)).toEqual([0, 1, 2, 4, 5]);
      expect(cases(client, "problem")).toEqual([]);
    },
  );

  test("opens sessions while log, bus and trips are away, and tells the log of them afterwards", async () => {
    const { gateway } = rig;
    gateway.log.failure = "LOG_UNAVAILABLE";
    gateway.trips.down = true;
    const listen = vi.spyOn(gateway.bus, "listen").mockImplementation(() => new Promise(() => {}));
    const { client, driver } = await open();
    client.send(fixesMessage([goodFix(0)]));
    expect(verdictsOf(await nth(client, "ack"))).toEqual({ 0: "BUFFERED" });
    listen.mockRestore();
    gateway.trips.down = false;
    gateway.log.failure = undefined;
    await drained();
    expect(await recordsOf(driver)).toMatchObject([
      { kind: "sessionOpened", closed: false },
      { kind: "fixBatch", fixes: [{ seq: 0 }] },
    ]);
  });

  test("withholds verdicts when the spool is full, and takes the rest when it is back", async () => {
    const { client, driver } = await open();
    client.send(fixesMessage([goodFix(0)]));
    await nth(client, "ack");
    rig.gateway.log.failure = "LOG_UNAVAILABLE";
    const perBatch = 1_000;
    const told = () => cases(client, "ack").length + cases(client, "problem").length;
    for (let batch = 0; cases(client, "problem").length === 0 && batch < 100; batch++) {
      const before = told();
      const fixes = Array.from({ length: perBatch }, (_, i) => goodFix(1 + batch * perBatch + i));
      client.send(fixesMessage(fixes));
      await vi.waitFor(() => expect(told()).toBeGreaterThan(before), PATIENCE);
    }
    expect((await nth(client, "problem")).code).toBe("LOG_FULL");
    const buffered = cases(client, "ack").flatMap(({ value }) =>
      Object.entries(verdictsOf(value)).flatMap(([seq, name]) => (name === "BUFFERED" ? [Number(seq)] : [])),
    );
    expect(buffered.length).toBeGreaterThan(perBatch);
    rig.gateway.log.failure = undefined;
    await drained();
    const stored = await storedSeqs(driver);
    expect(buffered.filter((seq) => !stored.includes(seq))).toEqual([]);
    expect(stored).toEqual(stored.toSorted((a, b) => a - b));
  });
}

/** Fixes that an Ack without a batch told ACCEPTED, in order. */
function settledSeqs(client: Parameters<typeof cases>[0]): number[] {
  return cases(client, "ack")
    .filter(({ value }) => value.batchId === 0)
    .flatMap(({ value }) => Object.entries(verdictsOf(value)))
    .map(([seq, name]) => (name === "ACCEPTED" ? Number(seq) : Number.NaN));
}
