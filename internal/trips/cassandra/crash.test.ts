import { expect, test, vi } from "vitest";
import { startCassandra } from "../../../test/kit/engines/cassandra.ts";
import { migratedLink, testCassandra } from "../../cassandra/kit.ts";
import { canceled, REGIONS, trip } from "../test-trips.ts";
import { openCassandraTrips } from "./trips.ts";

const WRITERS = 4;
const ANSWERED_BEFORE = 60;

/** The kit's nodes run with `commitlog_sync: batch`, see docs/OPERATIONS.md. */
test("while Cassandra is away everything is STORE_UNAVAILABLE; what was answered before a kill -9 is there afterwards, and works", {
  timeout: 300_000,
}, async () => {
  await using node = await startCassandra();
  await using link = await migratedLink(testCassandra("crash", node.address));
  await using trips = await openCassandraTrips({ link, retentionMs: 86_400_000, holdGraceMs: 50 });
  const answered = new Map<string, number>();
  let killed: Promise<void> | undefined;
  let next = 0;
  const write = async () => {
    for (;;) {
      const number = ++next;
      const created = trip(number);
      for (const version of number % 2 === 0 ? [created] : [created, canceled(created)]) {
        expect(await trips.put(version)).toEqual({ stored: true });
        answered.set(version.tripId, version.version);
        if (answered.size >= ANSWERED_BEFORE) killed ??= node.kill("SIGKILL");
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: WRITERS }, write));
  const away = { code: "STORE_UNAVAILABLE" };
  for (const end of ends) expect(end).toMatchObject({ status: "rejected", reason: away });
  await killed;
  for (const ask of [
    () => trips.put(trip(next + 1)),
    () => trips.get(trip(1).tripId),
    () => trips.list({}, 1, ""),
    () => trips.runningOf("d1"),
    () => trips.pending(REGIONS, 1),
    () => trips.published(trip(1).tripId, 1),
  ])
    await expect(ask()).rejects.toMatchObject(away);

  await node.start();
  await using later = await openCassandraTrips({
    ...{ link, retentionMs: 86_400_000, holdGraceMs: 50, orphanAfterMs: 0 },
  });
  const pending = await served(() => later.pending(REGIONS, 10_000));
  const listed = new Set(pending.map(({ trip: { tripId, version } }) => `${tripId} ${version}`));
  for (const [tripId, version] of answered) {
    expect((await served(() => later.get(tripId)))?.version).toBeGreaterThanOrEqual(version);
    for (let each = 1; each <= version; each++) expect(listed).toContain(`${tripId} ${each}`);
  }
  // Nobody is stuck, whatever the puts under way left.
  for (let number = 1; number <= next; number++) {
    const running = await served(() => later.runningOf(`d${number}`));
    const other = trip(100_000 + number, `d${number}`);
    await served(() => later.put(other));
    const expected = running ?? other;
    expect((await served(() => later.runningOf(`d${number}`)))?.tripId).toBe(expected.tripId);
  }
});

/** A node that has just come back on a busy machine may be away once more. */
function served<T>(ask: () => Promise<T>): Promise<T> {
  return vi.waitFor(ask, { timeout: 60_000, interval: 200 });
}
