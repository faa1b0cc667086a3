import { expect, test, vi } from "vitest";
import { startCassandra } from "../../../test/kit/engines/cassandra.ts";
import { migratedLink, testCassandra } from "../../cassandra/kit.ts";
import type { Party } from "../../core/fix.ts";
import { chunkOf, recordedFix } from "../test-data.ts";
import { openCassandraHistory } from "./history.ts";

const DAY_MS = 86_400_000;
const WRITERS = 8;

/** The kit's nodes run with `commitlog_sync: batch`, see docs/OPERATIONS.md. */
test("writes that resolved before Cassandra was killed -9 are there afterwards", {
  timeout: 180_000,
}, async () => {
  await using node = await startCassandra();
  await using link = await migratedLink(testCassandra("crash", node.address));
  await using history = await openCassandraHistory({ link, retentionMs: 30 * DAY_MS });
  const startMs = Date.now() - 3_600_000;
  const resolved: number[] = [];
  let killed: Promise<void> | undefined;
  const party = (writer: number): Party => ({ kind: "driver", id: `d${writer}` });
  const write = async (writer: number) => {
    for (let seq = 0; ; seq++) {
      await history.putChunks([chunkOf(party(writer), [recordedFix(startMs + seq, seq)])]);
      resolved[writer] = seq + 1;
      if (resolved.reduce((sum, count) => sum + count, 0) >= 2_000) killed ??= node.kill("SIGKILL");
    }
  };
  await Promise.allSettled(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  await killed;
  await node.start();
  for (const [writer, count] of resolved.entries()) {
    const query = { party: party(writer), fromMs: startMs, toMs: startMs + 1e6, limit: 10_000 };
    const track = await vi.waitFor(() => history.track(query), { timeout: 30_000, interval: 100 });
    const seqs = track.map(({ seq }) => seq);
    expect(seqs.slice(0, count)).toEqual(Array.from({ length: count }, (_, i) => i));
  }
});
