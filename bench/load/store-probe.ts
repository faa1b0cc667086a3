import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { LiveService } from "../../gen/bimride/tracking/v1/live_pb.ts";
import type { LedgerReader, LiveLedger } from "./live-ledger.ts";
import { pause } from "./pause.ts";
import type { Service } from "./service.ts";
import { seenPosition, versionOf } from "./sightings.ts";

const PERIOD_MS = 250;
const READ_MS = 2_000;

/**
 * Asks every edge over and over for trips that nobody watches, so that the answers come from the latest state's store, and
 * gives them to the ledger: what a store shows must not get older either.
 */
export class StoreProbe implements AsyncDisposable {
  readonly #trips: readonly { tripId: string }[];
  readonly #clients: readonly { client: Client<typeof LiveService>; reader: LedgerReader }[];
  readonly #headers: { authorization: string };
  /** Answers to calls that overlap may overtake each other, so these have a reader of their own. */
  readonly #presence: LedgerReader;
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  reads = 0;
  /** Reads that failed: the edge or the store was away. */
  failed = 0;

  private constructor(
    service: Service,
    trips: readonly { tripId: string }[],
    token: string,
    ledger: LiveLedger,
  ) {
    this.#trips = trips;
    this.#presence = ledger.reader("store, asked for presence");
    this.#headers = { authorization: `Bearer ${token}` };
    this.#clients = service.edgeUrls.map((baseUrl, index) => ({
      client: createClient(LiveService, createConnectTransport({ baseUrl, httpVersion: "1.1" })),
      reader: ledger.reader(`store over edge ${index + 1}`),
    }));
  }

  /** @param trips that nobody watches */
  static async start(
    service: Service,
    trips: readonly { tripId: string }[],
    ledger: LiveLedger,
  ): Promise<StoreProbe> {
    const probe = new StoreProbe(service, trips, await service.mint("support", "probe"), ledger);
    probe.#loop = probe.#run();
    return probe;
  }

  /** How many of the trips have a position in the store now, asked over the first edge; one call at a time. */
  async present(trips: readonly { tripId: string }[]): Promise<number> {
    const { client } = this.#clients[0]!;
    const found = await Promise.all(trips.map(({ tripId }) => this.#read(client, this.#presence, tripId)));
    return found.filter((is) => is === true).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const { client, reader } of this.#clients)
        await Promise.all(this.#trips.map(({ tripId }) => this.#read(client, reader, tripId)));
      await pause(PERIOD_MS);
    }
  }

  async #read(
    client: Client<typeof LiveService>,
    reader: LedgerReader,
    tripId: string,
  ): Promise<boolean | undefined> {
    const options = { headers: this.#headers, signal: this.#stop.signal, timeoutMs: READ_MS };
    try {
      const { live } = await client.getLiveTrip({ tripId }, options);
      this.reads++;
      const position = seenPosition(live?.position);
      reader.shows({ tripId, version: versionOf(live?.version), position });
      return position !== undefined;
    } catch {
      if (!this.#stop.signal.aborted) this.failed++;
      return undefined;
    }
  }
}
