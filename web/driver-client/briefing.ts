import {
  type Assignment,
  type PublishResponse,
  WantedAccuracy,
  type WantedRate as WireRate,
} from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import { type DriverAssignment, RATE_BEFORE_WELCOME, type WantedRate } from "./driver-state.ts";

const ACCURACIES: Record<WantedAccuracy, WantedRate["accuracy"]> = {
  [WantedAccuracy.UNSPECIFIED]: "any",
  [WantedAccuracy.LOW]: "low",
  [WantedAccuracy.BALANCED]: "balanced",
  [WantedAccuracy.HIGH]: "high",
};

/** What the gateway told the driver: what to do, and how often to send. Each is told on when it is another. */
export class Briefing {
  rate: WantedRate = RATE_BEFORE_WELCOME;
  assignment: DriverAssignment | undefined;
  readonly #onRate: (rate: WantedRate) => void;
  readonly #onAssignment: (assignment: DriverAssignment) => void;

  constructor(onRate: (rate: WantedRate) => void, onAssignment: (assignment: DriverAssignment) => void) {
    this.#onRate = onRate;
    this.#onAssignment = onAssignment;
  }

  /** Takes in what a message says of either. */
  take(message: PublishResponse["message"]): void {
    if (message.case === "welcome") {
      this.#takeRate(message.value.wantedRate);
      this.#takeAssignment(message.value.assignment);
    } else if (message.case === "wantedRate") this.#takeRate(message.value);
    else if (message.case === "assignment") this.#takeAssignment(message.value);
  }

  #takeRate(wire: WireRate | undefined): void {
    if (!wire || wire.intervalMs === 0) return;
    const rate = {
      intervalMs: wire.intervalMs,
      accuracy: ACCURACIES[wire.accuracy] ?? "any",
      reason: wire.reason,
    };
    const { intervalMs, accuracy, reason } = this.rate;
    if (rate.intervalMs === intervalMs && rate.accuracy === accuracy && rate.reason === reason) return;
    this.rate = rate;
    this.#onRate(rate);
  }

  /** Version 0 is a gateway that could not find out yet. */
  #takeAssignment(wire: Assignment | undefined): void {
    if (!wire || wire.version <= (this.assignment?.version ?? 0n)) return;
    const { version, trip, ended } = wire;
    this.assignment = { version, trip, ended };
    this.#onAssignment(this.assignment);
  }
}
