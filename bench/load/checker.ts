import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { HistoryService, TrackView } from "../../gen/bimride/tracking/v1/history_pb.ts";
import type { AckedFix } from "./load-drivers.ts";
import { pause } from "./pause.ts";
import { inTurn, type Service } from "./service.ts";

export type CheckResult = { acked: number; found: number; missing: number; duplicated: number };

const AT_A_TIME = 20;
const READ_MS = 20_000;

/**
 * Compares what was acked with what was found, by (driver, session, seq) and time. Pure, so that it can be tested with
 * plants.
 */
export function compare(acked: readonly AckedFix[], found: readonly AckedFix[]): CheckResult {
  const key = ({ driverId, sessionId, seq }: AckedFix) => `${driverId} ${sessionId} ${seq}`;
  const counts = new Map<string, number>();
  const times = new Set<string>();
  for (const fix of found) {
    counts.set(key(fix), (counts.get(key(fix)) ?? 0) + 1);
    times.add(`${key(fix)} ${fix.capturedAtMs}`);
  }
  const wanted = new Map(acked.map((fix) => [key(fix), fix.capturedAtMs]));
  let missing = 0;
  for (const [one, capturedAtMs] of wanted) if (!times.has(`${one} ${capturedAtMs}`)) missing++;
  let duplicated = 0;
  for (const count of counts.values()) duplicated += count - 1;
  return { acked: wanted.size, found: found.length, missing, duplicated };
}

/**
 * Reads every trip through GetTrack, over the edges in turn, and compares it with what the drivers were told. History may
 * lag by a store period, so a gap is looked at again until the patience ends; so is a read that fails.
 */
export async function checkHistory(
  service: Service,
  trips: readonly { tripId: string; driverId: string }[],
  acked: readonly AckedFix[],
  patienceMs = 90_000,
): Promise<CheckResult> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const late = performance.now() > deadline;
    try {
      const result = compare(acked, await readTracks(service, trips));
      if (result.missing === 0 || late) return result;
    } catch (error) {
      if (late) throw error;
    }
    await pause(500);
  }
}

/** All fixes that history has of the trips, as GetTrack gives them. */
export async function readTracks(
  service: Service,
  trips: readonly { tripId: string }[],
): Promise<AckedFix[]> {
  const headers = { authorization: `Bearer ${await service.mint("support", "checker")}` };
  const clients = service.edgeUrls.map((baseUrl) =>
    createClient(HistoryService, createConnectTransport({ baseUrl, httpVersion: "1.1" })),
  );
  const found: AckedFix[] = [];
  for (let first = 0; first < trips.length; first += AT_A_TIME) {
    const reads = trips
      .slice(first, first + AT_A_TIME)
      .map(({ tripId }, i) => readTrack(inTurn(clients, i), tripId, headers));
    for (const fixes of await Promise.all(reads)) found.push(...fixes);
  }
  return found;
}

async function readTrack(
  client: Client<typeof HistoryService>,
  tripId: string,
  headers: { authorization: string },
): Promise<AckedFix[]> {
  const found: AckedFix[] = [];
  for (let pageToken = ""; ; ) {
    const request = { tripId, view: TrackView.RECORDED, pageSize: 5_000, pageToken };
    const { points, nextPageToken } = await client.getTrack(request, { headers, timeoutMs: READ_MS });
    for (const { party, sessionId, seq, capturedAtMs } of points) {
      found.push({ driverId: party!.id, sessionId, seq, capturedAtMs: Number(capturedAtMs) });
    }
    if (!nextPageToken) return found;
    pageToken = nextPageToken;
  }
}
