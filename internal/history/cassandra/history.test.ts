import { describe, expect, test } from "vitest";
import { migratedKeyspace } from "../../cassandra/kit.ts";
import { systemClock } from "../../core/time.ts";
import { CONTRACT_CLOCK, CONTRACT_RETENTION_MS, historyContract } from "../contract.ts";
import { chunkOf, recordedFix } from "../test-data.ts";
import { DEVIATIONS } from "./deviations.ts";
import { openCassandraHistory } from "./history.ts";

historyContract(
  "the Cassandra history",
  async () => {
    const { link, ...rest } = await migratedKeyspace("history");
    return {
      open: () => openCassandraHistory({ link, retentionMs: CONTRACT_RETENTION_MS, clock: CONTRACT_CLOCK }),
      [Symbol.asyncDispose]: rest[Symbol.asyncDispose],
    };
  },
  DEVIATIONS,
);

describe("the Cassandra history", () => {
  const party = { kind: "driver" as const, id: "d1" };

  test("rows leave so long after they were captured as the retention says, also when they are written late", async () => {
    await using space = await migratedKeyspace("history");
    const nowMs = 1_790_000_000_000;
    const hourMs = 3_600_000;
    const clock = { ...systemClock, now: () => nowMs };
    await using history = await openCassandraHistory({ link: space.link, retentionMs: 24 * hourMs, clock });
    const ages = [0, 20 * hourMs, 30 * hourMs];
    for (const [seq, ageMs] of ages.entries())
      await history.putChunks([chunkOf(party, [recordedFix(nowMs - ageMs, seq, { receivedAtMs: nowMs })])]);
    const { rows } = await space.link.execute("SELECT first_seq, TTL(fixes) AS ttl FROM track_chunks", []);
    const ttls = rows.map(({ first_seq, ttl }) => [Number(first_seq), Math.round(ttl / 360) / 10]);
    expect(ttls.sort()).toEqual([
      [0, 24],
      [1, 4],
    ]);
  });

  test("a chunk lies in one row unless fixes of it came late", async () => {
    await using space = await migratedKeyspace("history");
    const clock = CONTRACT_CLOCK;
    await using history = await openCassandraHistory({
      link: space.link,
      retentionMs: CONTRACT_RETENTION_MS,
      clock,
    });
    const midnightMs = 20_718 * 86_400_000;
    const fixes = Array.from({ length: 60 }, (_, i) => recordedFix(midnightMs - 120_000 + i * 4_000, i));
    await history.putChunks([chunkOf(party, fixes)]);
    const count = async () => (await space.link.execute("SELECT first_at FROM track_chunks", [])).rowLength;
    expect(await count()).toBe(1);
    const late = recordedFix(midnightMs - 7_200_000, 60, { receivedAtMs: midnightMs + 200_000 });
    await history.putChunks([chunkOf(party, [...fixes, late])]);
    expect(await count()).toBe(2);
    const query = { party, fromMs: midnightMs - 1e7, toMs: midnightMs + 1e7, limit: 100 };
    expect(await history.track(query)).toEqual([late, ...fixes]);
  });
});
