import { partitionOf } from "../../internal/core/ids.ts";
import { DEFAULT_LIMITS } from "../../internal/core/limits.ts";
import type { LiveChange } from "../../internal/core/live.ts";
import { decodeChange } from "../../internal/live/nats/change-codec.ts";
import { connectNats, type NatsLink } from "../../internal/nats/link.ts";
import type { LoadTrip } from "./book-trip.ts";
import type { LedgerReader, LiveLedger } from "./live-ledger.ts";
import { asSeen } from "./sightings.ts";

/**
 * Reads every change of every trip straight from the live bus, as an edge where all are watched would, and drops what is
 * not newer. It tells how long a partition was silent, and gives all it reads to the ledger.
 */
export class BusTap implements AsyncDisposable {
  readonly #link: NatsLink;
  readonly #reader: LedgerReader;
  readonly #partitionOf: ReadonlyMap<string, number>;
  /** When a newer position came, by partition; milliseconds since 1970, ascending. */
  readonly #updates = new Map<number, number[]>();
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
    for (const partition of this.#partitionOf.values()) this.#updates.set(partition, []);
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

  /** Partitions that the trips are in. */
  get partitions(): number[] {
    return [...this.#updates.keys()];
  }

  /** The newest change of the trip that moved its car. */
  last(tripId: string): LiveChange | undefined {
    return this.#last.get(tripId);
  }

  /** The first update of the partition after that moment; undefined before it came. */
  firstAfter(partition: number, atMs: number): number | undefined {
    return this.#updates.get(partition)?.find((at) => at > atMs);
  }

  /**
   * How long after that moment the last of all partitions had its first update; undefined while one has none. It is never
   * too short: a partition that nothing happened to answers with its next fix.
   */
  allBackAfterMs(atMs: number): number | undefined {
    const firsts = this.partitions.map((partition) => this.firstAfter(partition, atMs));
    if (firsts.some((first) => first === undefined)) return undefined;
    return Math.max(...(firsts as number[])) - atMs;
  }

  /** The longest time without an update of one partition in a stretch of time, milliseconds since 1970. */
  longestSilenceMs(fromMs: number, toMs: number): number {
    let longestMs = 0;
    for (const updates of this.#updates.values()) {
      let last = fromMs;
      for (const at of [...updates.filter((each) => each > fromMs && each < toMs), toMs]) {
        longestMs = Math.max(longestMs, at - last);
        last = at;
      }
    }
    return longestMs;
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
        this.#updates.get(partition)!.push(Date.now());
        this.#last.set(tripId, change);
      }
    } catch {
      this.unreadable++; // counted, and a drill with any is not ok
    }
  }
}
