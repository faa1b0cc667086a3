import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { LiveService, type TripUpdate, TripUpdateSchema } from "../../gen/bimride/tracking/v1/live_pb.ts";
import { compareVersions, type Version, ZERO_VERSION } from "../../internal/core/version.ts";
import { pause } from "./load-drivers.ts";
import type { ServiceProcess } from "./service-process.ts";

/** Riders who watch, each one trip on a stream of its own; they come back when it breaks. */
export class Viewers {
  readonly #abort = new AbortController();
  readonly #watching: Promise<void>[] = [];
  /** From when the fix was due at the device to when the viewer had it. */
  readonly deviceToViewerMs: number[] = [];
  /** Sizes of position updates, those that carry a changed trip left out. */
  readonly updateBytes: number[] = [];
  wentBack = 0;
  reconnects = 0;
  /** Time of the newest update of any viewer. */
  lastUpdateAtMs = 0;

  /** Starts `count` viewers over the trips in turn; resolves when each has its snapshot. */
  static async create(
    server: ServiceProcess,
    trips: readonly { tripId: string; riderId: string }[],
    count: number,
  ): Promise<Viewers> {
    const viewers = new Viewers();
    const started: Promise<void>[] = [];
    for (let i = 0; i < count; i++) {
      const { promise, resolve } = Promise.withResolvers<void>();
      started.push(promise);
      const { tripId, riderId } = trips[i % trips.length]!;
      viewers.#watching.push(viewers.#watch(server, tripId, riderId, resolve));
    }
    await Promise.all(started);
    return viewers;
  }

  resetTimings(): void {
    this.deviceToViewerMs.length = 0;
    this.updateBytes.length = 0;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#watching);
  }

  async #watch(server: ServiceProcess, tripId: string, riderId: string, started: () => void): Promise<void> {
    const signal = this.#abort.signal;
    const headers = { authorization: `Bearer ${await server.mint("rider", riderId)}` };
    let version: Version = ZERO_VERSION;
    while (!signal.aborted) {
      const client = createClient(
        LiveService,
        createConnectTransport({ baseUrl: server.httpUrl, httpVersion: "1.1" }),
      );
      try {
        const target = version === ZERO_VERSION ? { tripId } : { tripId, resumeAfter: wire(version) };
        for await (const { message } of client.watchTrips({ targets: [target] }, { headers, signal })) {
          if (message.case === "snapshot") {
            const next = newer(version, message.value.version);
            if (!next && version !== ZERO_VERSION) this.wentBack++;
            version = next ?? version;
            started();
          } else if (message.case === "update") {
            const next = newer(version, message.value.version);
            if (!next && message.value.position) this.wentBack++;
            version = next ?? version;
            this.#seen(message.value);
          }
        }
      } catch {
        // the server went away or was cut off: that is what the drill is about
      }
      if (signal.aborted) return;
      this.reconnects++;
      await pause(200);
    }
  }

  #seen(update: TripUpdate): void {
    if (!update.position) return;
    this.lastUpdateAtMs = Date.now();
    this.deviceToViewerMs.push(
      performance.timeOrigin + performance.now() - Number(update.position.capturedAtMs),
    );
    if (!update.trip) this.updateBytes.push(toBinary(TripUpdateSchema, update).length);
  }
}

function newer(
  than: Version,
  wire: { generation: number; sequence: bigint; index: number } | undefined,
): Version | undefined {
  if (!wire) return undefined;
  const version = { generation: wire.generation, sequence: Number(wire.sequence), index: wire.index };
  return compareVersions(version, than) > 0 ? version : undefined;
}

function wire(version: Version): { generation: number; sequence: bigint; index: number } {
  return { ...version, sequence: BigInt(version.sequence) };
}
