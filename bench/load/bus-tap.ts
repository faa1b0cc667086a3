import { partitionOf } from "../../internal/core/ids.ts";
import { DEFAULT_LIMITS } from "../../internal/core/limits.ts";
import type { LiveChange } from "../../internal/core/live.ts";
import { decodeChange } from "../../internal/live/nats/change-codec.ts";
import { connectNats, type NatsLink } from "../../internal/nats/link.ts";
import type { LoadTrip } from "./book-trip.ts";
import type { LedgerReader, LiveLedger } from "./live-ledger.ts";
import { asSeen } from "./sightings.ts";
import { UpdateTimes } from "./update-times.ts";

/**
 * Reads every change of every trip straight from the live bus, as an edge where all are watched would, and drops what is
 * not newer. It notes when updates came, and gives all it reads to the ledger.
 */
export class BusTap implements AsyncDisposable {
  readonly #link: NatsLink;
  readonly #reader: LedgerReader;
  readonly #partitionOf: ReadonlyMap<string, number>;
  /** When newer positions came. */
  readonly times: UpdateTimes;
  /** The newest change with a position, one per trip. */
  readonly #last = new Map<string, LiveChange>();
  /** Messages that were not newer than what was read before: a second sender, or a replay. */
  stale = 0;
  unreadable = 0;

  private constructor(link: NatsLink, ledger: LiveLedger, trips: readonly LoadTrip[]) {
    this.#link = link;
    this.#reader = ledger.reader("bus");
    this.#partitionOf = new Map(
      trips.map(({ tripId, driverId }) => [
        tripId,
        partitionOf({ kind: "driver", id: driverId }, DEFAULT_LIMITS.partitions),
      ]),
    );
    this.times = new UpdateTimes(this.#partitionOf.values());
  }

  /** @param servers host:port of the NATS servers themselves */
  static async open(
    servers: readonly string[],
    region: string,
    ledger: LiveLedger,
    trips: readonly LoadTrip[],
  ): Promise<BusTap> {
    const link = await connectNats({ servers: [...servers], name: "bimride-tap" });
    const tap = new BusTap(link, ledger, trips);
    const prefix = `live.${region}.`;
    link.connection.subscribe(`${prefix}*`, {
      callback: (error, message) => {
        if (!error) tap.#read(message.subject.slice(prefix.length), message.data);
      },
    });
    await link.connection.flush();
    return tap;
  }

  /** The newest change of the trip that moved its car. */
  last(tripId: string): LiveChange | undefined {
    return this.#last.get(tripId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }

  #read(tripId: string, body: Uint8Array): void {
    const partition = this.#partitionOf.get(tripId);
    if (partition === undefined) return;
    try {
      const change = decodeChange(tripId, body);
      const { version, position } = change;
      if (!this.#reader.takes({ tripId, version, position: asSeen(position) })) this.stale++;
      else if (position) {
        this.times.add(partition, { processedAtMs: position.processedAtMs, readAtMs: Date.now() });
        this.#last.set(tripId, change);
      }
    } catch {
      this.unreadable++; // counted, and a drill with any is not ok
    }
  }
}
