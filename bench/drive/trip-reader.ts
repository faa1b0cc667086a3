import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import {
  Freshness,
  LiveService,
  type LiveTrip,
  type TripUpdate,
} from "../../gen/bimride/tracking/v1/live_pb.ts";
import type { App } from "../../internal/app/app.ts";
import type { Version } from "../../internal/core/version.ts";
import { ZERO_VERSION } from "../../internal/core/version.ts";
import type { DriveTrip } from "./drive-trip.ts";

/** What the watcher got, with the capture time of the newest position before it. */
export type SeenState = {
  message: LiveTrip | TripUpdate;
  version: Version;
  freshness: Freshness;
  capturedBefore: number;
};

/** How long the watcher may take to get what was published before the drive is given up, milliseconds of real time. */
const PATIENCE_MS = 30_000;

/** A rider who watches the trip over Connect and passes each state on. */
export class TripReader {
  readonly #abort = new AbortController();
  readonly #onState: (state: SeenState) => void;
  readonly #done: Promise<void>;
  #version: Version = ZERO_VERSION;
  #freshness: Freshness = Freshness.UNSPECIFIED;
  #capturedAtMs = 0;
  #failure: unknown;
  #wake = () => {};

  constructor(app: Pick<App, "httpUrl" | "mint">, trip: DriveTrip, onState: (state: SeenState) => void) {
    this.#onState = onState;
    this.#done = this.#read(app, trip).catch((error: unknown) => {
      if (!this.#abort.signal.aborted) this.#failure = error;
      this.#wake();
    });
  }

  get version(): Version {
    return this.#version;
  }

  /** Capture time of the newest position seen; 0 before the first. */
  get capturedAtMs(): number {
    return this.#capturedAtMs;
  }

  /** Waits until the condition holds; rejects when the watch failed or nothing came for too long. */
  async reached(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!condition()) {
      if (this.#failure) throw this.#failure;
      if (performance.now() > deadline) throw new Error("the watcher did not get what was published");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#done;
    if (this.#failure) throw this.#failure;
  }

  async #read(app: Pick<App, "httpUrl" | "mint">, trip: DriveTrip): Promise<void> {
    const client = createClient(
      LiveService,
      createConnectTransport({ baseUrl: app.httpUrl, httpVersion: "1.1" }),
    );
    const headers = { authorization: `Bearer ${await app.mint("rider", trip.riderId)}` };
    const request = { targets: [{ tripId: trip.tripId }] };
    for await (const { message } of client.watchTrips(request, { headers, signal: this.#abort.signal })) {
      if (message.case === "snapshot" || message.case === "update") this.#seen(message.value);
      else if (message.case === "unavailable")
        throw new Error(`the trip can't be watched: ${message.value.code}`);
    }
  }

  #seen(message: LiveTrip | TripUpdate): void {
    const { version, freshness, position } = message;
    if (version) this.#version = { ...version, sequence: Number(version.sequence) };
    if (freshness) this.#freshness = freshness.freshness;
    this.#onState({
      message,
      version: this.#version,
      freshness: this.#freshness,
      capturedBefore: this.#capturedAtMs,
    });
    if (position) this.#capturedAtMs = Math.max(this.#capturedAtMs, Number(position.capturedAtMs));
    this.#wake();
  }
}
