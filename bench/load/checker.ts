import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { HistoryService, TrackView } from "../../gen/bimride/tracking/v1/history_pb.ts";
import { type AckedFix, pause } from "./load-drivers.ts";
import type { ServiceProcess } from "./service-process.ts";

export type CheckResult = { acked: number; found: number; missing: number; duplicated: number };

const AT_A_TIME = 20;

/** Compares what was acked with what was found, by (driver, session, seq). Pure, so that it can be tested with plants. */
export function compare(acked: readonly AckedFix[], found: readonly AckedFix[]): CheckResult {
  const key = ({ driverId, sessionId, seq }: AckedFix) => `${driverId} ${sessionId} ${seq}`;
  const counts = new Map<string, number>();
  for (const fix of found) counts.set(key(fix), (counts.get(key(fix)) ?? 0) + 1);
  const wanted = new Set(acked.map(key));
  let missing = 0;
  for (const one of wanted) if (!counts.has(one)) missing++;
  let duplicated = 0;
  for (const count of counts.values()) duplicated += count - 1;
  return { acked: wanted.size, found: found.length, missing, duplicated };
}

/**
 * Reads every trip through GetTrack and compares it with what the drivers were told. History may lag by a store period,
 * so a gap is looked at again until the patience ends.
 */
export async function checkHistory(
  server: ServiceProcess,
  trips: readonly { tripId: string; driverId: string }[],
  acked: readonly AckedFix[],
  patienceMs = 15_000,
): Promise<CheckResult> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found: AckedFix[] = [];
    for (let i = 0; i < trips.length; i += AT_A_TIME) {
      const pages = await Promise.all(trips.slice(i, i + AT_A_TIME).map((trip) => readTrack(server, trip)));
      for (const page of pages) found.push(...page);
    }
    const result = compare(acked, found);
    if (result.missing === 0 || performance.now() > deadline) return result;
    await pause(500);
  }
}

async function readTrack(
  server: ServiceProcess,
  trip: { tripId: string; driverId: string },
): Promise<AckedFix[]> {
  const client = createClient(
    HistoryService,
    createConnectTransport({ baseUrl: server.httpUrl, httpVersion: "1.1" }),
  );
  const headers = { authorization: `Bearer ${await server.mint("support", "checker")}` };
  const found: AckedFix[] = [];
  for (let pageToken = ""; ; ) {
    const request = { tripId: trip.tripId, view: TrackView.RECORDED, pageSize: 5_000, pageToken };
    const { points, nextPageToken } = await client.getTrack(request, { headers });
    for (const { party, sessionId, seq, capturedAtMs } of points) {
      found.push({ driverId: party!.id, sessionId, seq, capturedAtMs: Number(capturedAtMs) });
    }
    if (!nextPageToken) return found;
    pageToken = nextPageToken;
  }
}
