import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import {
  LiveService,
  type TripUpdate,
  TripUpdateSchema,
  type WatchTripsResponse,
} from "../../gen/bimride/tracking/v1/live_pb.ts";
import { type Version, ZERO_VERSION } from "../../internal/core/version.ts";
import { type LedgerReader, LiveLedger } from "./live-ledger.ts";
import { pause } from "./pause.ts";
import { inTurn, type Service } from "./service.ts";
import { seenPosition, versionOf } from "./sightings.ts";
import { spread } from "./spread.ts";

const RECONNECT_MS = 200;

/** Riders who watch, each one trip on a stream of its own; they come back, to the next edge, when it breaks. */
export class Viewers {
  readonly #ledger: LiveLedger;
  readonly #abort = new AbortController();
  readonly #watching: Promise<void>[] = [];
  /** By viewer; the time of its start before its first. */
  readonly #lastUpdateMs: number[] = [];
  #silenceMs = 0;
  /** From when the fix was due at the device to when the viewer had it. */
  readonly deviceToViewerMs: number[] = [];
  /** Sizes of position updates, those that carry a changed trip left out. */
  readonly updateBytes: number[] = [];
  reconnects = 0;
  /** Time of the newest update of any viewer. */
  lastUpdateAtMs = 0;

  private constructor(ledger: LiveLedger) {
    this.#ledger = ledger;
  }

  /** Starts `count` viewers, spread over the trips and the edges; resolves when each has its snapshot. */
  static async create(
    service: Service,
    trips: readonly { tripId: string; riderId: string }[],
    count: number,
    ledger = new LiveLedger(),
  ): Promise<Viewers> {
    const viewers = new Viewers(ledger);
    const watched = spread(trips, count);
    const started: Promise<void>[] = [];
    for (let index = 0; index < count; index++) {
      const { promise, resolve } = Promise.withResolvers<void>();
      started.push(promise);
      const trip = watched[index % watched.length]!;
      viewers.#lastUpdateMs[index] = Date.now();
      viewers.#watching.push(viewers.#watch(service, trip, index, trips.length, resolve));
    }
    await Promise.all(started);
    return viewers;
  }

  /** Times that a viewer saw something older than before, over all readers of the ledger. */
  get wentBack(): number {
    return this.#ledger.wentBack;
  }

  /** Versions that two contents were seen under, over all readers of the ledger. */
  get owners2(): number {
    return this.#ledger.owners2;
  }

  /** Longest time between two updates of one viewer since the last call; the cars' own interval is in it. */
  takeSilenceMs(): number {
    const now = Date.now();
    const silenceMs = this.#lastUpdateMs.reduce((most, at) => Math.max(most, now - at), this.#silenceMs);
    this.#silenceMs = 0;
    return silenceMs;
  }

  resetTimings(): void {
    this.deviceToViewerMs.length = 0;
    this.updateBytes.length = 0;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#watching);
  }

  async #watch(
    service: Service,
    { tripId, riderId }: { tripId: string; riderId: string },
    index: number,
    tripCount: number,
    started: () => void,
  ): Promise<void> {
    const signal = this.#abort.signal;
    const reader = this.#ledger.reader(`viewer ${index}`);
    const headers = { authorization: `Bearer ${await service.mint("rider", riderId)}` };
    // Viewers of the same trip begin at different edges.
    for (let edge = index + Math.floor(index / tripCount); !signal.aborted; edge++) {
      const baseUrl = inTurn(service.edgeUrls, edge);
      const client = createClient(LiveService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
      const version = reader.version(tripId);
      const target = version === ZERO_VERSION ? { tripId } : { tripId, resumeAfter: wire(version) };
      try {
        for await (const { message } of client.watchTrips({ targets: [target] }, { headers, signal })) {
          if (message.case === "snapshot") started();
          this.#seen(reader, tripId, index, message);
        }
      } catch {
        // the server went away or was cut off: that is what a drill is about
      }
      if (signal.aborted) return;
      this.reconnects++;
      await pause(RECONNECT_MS * (0.5 + Math.random()));
    }
  }

  #seen(reader: LedgerReader, tripId: string, index: number, message: WatchTripsResponse["message"]): void {
    if (message.case !== "snapshot" && message.case !== "update") return;
    const { value } = message;
    // An update without a position may tell of freshness alone, under a version that is known.
    if (message.case === "update" && !value.position && !message.value.trip) return;
    const version = versionOf(value.version);
    const sighting = { tripId, version, position: seenPosition(value.position) };
    const isNewer = reader.shows(sighting);
    if (message.case === "update" && message.value.position && isNewer) this.#measure(message.value, index);
  }

  #measure(update: TripUpdate, index: number): void {
    const now = Date.now();
    this.#silenceMs = Math.max(this.#silenceMs, now - this.#lastUpdateMs[index]!);
    this.#lastUpdateMs[index] = now;
    this.lastUpdateAtMs = now;
    const capturedAtMs = Number(update.position!.capturedAtMs);
    this.deviceToViewerMs.push(performance.timeOrigin + performance.now() - capturedAtMs);
    if (!update.trip) this.updateBytes.push(toBinary(TripUpdateSchema, update).length);
  }
}

function wire(version: Version): { generation: number; sequence: bigint; index: number } {
  return { ...version, sequence: BigInt(version.sequence) };
}
