import { type Ack, VerdictCode } from "../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { Fix } from "../../internal/core/fix.ts";
import { destination } from "../../internal/core/geo.ts";
import { DriverLink } from "./driver-link.ts";
import { pause } from "./pause.ts";
import { inTurn } from "./service.ts";

export type LoadDriverOptions = {
  id: string;
  tripId: string;
  token: string;
  /** host:port of the gateways; the driver begins at `first` and goes to the next when one fails. */
  gatewayAddresses: readonly string[];
  first: number;
  start: { latDeg: number; lonDeg: number };
  bearingDeg: number;
  /** Told of every fix that is durable now, once. */
  onDurable(fix: Fix): void;
  /** Told of fixes that the gateway has on its own disk. */
  onBuffered(count: number): void;
  /** Told of fixes that were refused for good: none of these is wrong, so none should be. */
  onRefused(count: number): void;
};

const SPEED_MPS = 10;
/** Mean wait before a reconnect; the wait is this times 0.5 to 1.5. */
const RECONNECT_MS = 200;
/** A gateway that says nothing for so long is left for the next one. */
const HELLO_PATIENCE_MS = 5_000;
/** A batch without an answer for so long makes the driver reconnect and send again what is open. */
const ANSWER_PATIENCE_MS = 10_000;
/** A batch that was refused for now is sent again after this while the stream stays. */
const RESEND_MS = 1_000;
const MAX_PER_BATCH = 500;

/**
 * A driver app under load: sends each fix when it is due, whatever became of those before, keeps it until it is durable,
 * reconnects with jitter to the next gateway and sends again what is open, newest first.
 */
export class LoadDriver {
  readonly sessionId: string;
  readonly #options: LoadDriverOptions;
  readonly #unacked = new Map<number, Fix>();
  /** When batches that have no answer yet were sent, oldest first. */
  readonly #waiting = new Map<object, number>();
  #link: DriverLink | undefined;
  #gateway: number;
  #seq = 0;
  /** As the last link was told. */
  #region = "";
  #place: { latDeg: number; lonDeg: number };
  #stopped = false;

  constructor(options: LoadDriverOptions) {
    this.#options = options;
    this.sessionId = `session-${options.id}`;
    this.#gateway = options.first;
    this.#place = options.start;
  }

  get id(): string {
    return this.#options.id;
  }

  get tripId(): string {
    return this.#options.tripId;
  }

  /** Fixes that are sent, or wait for a stream, and are not known to be durable. */
  get open(): number {
    return this.#unacked.size;
  }

  /** Resolves once the driver is connected, with whatever gateway. */
  async connect(): Promise<void> {
    while (!this.#stopped) {
      const link = await this.#tryGateway();
      if (!link) {
        this.#gateway++;
        await pause(RECONNECT_MS * (0.5 + Math.random()));
        continue;
      }
      this.#link = link;
      void link.closed.then(() => this.#lost(link));
      const newestFirst = [...this.#unacked.values()].sort((a, b) => b.seq - a.seq);
      for (let i = 0; i < newestFirst.length; i += MAX_PER_BATCH)
        this.#transmit(link, newestFirst.slice(i, i + MAX_PER_BATCH));
      return;
    }
  }

  /** Drives on for the interval and sends where it is. */
  drive(intervalMs: number, dueAtMs: number): void {
    const metres = (SPEED_MPS * intervalMs) / 1_000;
    this.#place = destination(this.#place.latDeg, this.#place.lonDeg, this.#options.bearingDeg, metres);
    const fix: Fix = {
      ...this.#place,
      seq: this.#seq++,
      capturedAtMs: dueAtMs,
      accuracyM: 4,
      speedMps: SPEED_MPS,
      headingDeg: this.#options.bearingDeg,
      altitudeM: Number.NaN,
      source: "gnss",
      mock: false,
    };
    this.#unacked.set(fix.seq, fix);
    if (this.#link) this.#transmit(this.#link, [fix]);
  }

  /** Leaves a gateway that owes an answer for too long, as a driver app does: verdicts may have been withheld. */
  loseHope(nowMs: number): void {
    const [oldestAtMs] = this.#waiting.values();
    if (oldestAtMs !== undefined && nowMs - oldestAtMs > ANSWER_PATIENCE_MS) this.#link?.cut();
  }

  async close(): Promise<void> {
    this.#stopped = true;
    const link = this.#link;
    link?.close();
    const timer = setTimeout(() => link?.cut(), HELLO_PATIENCE_MS);
    await link?.closed;
    clearTimeout(timer);
  }

  async #tryGateway(): Promise<DriverLink | undefined> {
    const link = new DriverLink({
      address: inTurn(this.#options.gatewayAddresses, this.#gateway),
      token: this.#options.token,
      sessionId: this.sessionId,
      lastRegion: this.#region,
      now: () => Date.now(),
      onLaterAck: (ack) => this.#acked(ack),
    });
    const timer = setTimeout(() => link.cut(), HELLO_PATIENCE_MS);
    const welcome = await link.hello(this.#place).catch(() => undefined);
    clearTimeout(timer);
    return welcome && link;
  }

  #lost(link: DriverLink): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#region = link.region;
    this.#waiting.clear();
    this.#gateway++;
    if (!this.#stopped) void pause(RECONNECT_MS * (0.5 + Math.random())).then(() => this.connect());
  }

  #transmit(link: DriverLink, fixes: readonly Fix[]): void {
    const batch = {};
    this.#waiting.set(batch, Date.now());
    link.send(fixes).then(
      (ack) => {
        this.#waiting.delete(batch);
        const again = this.#acked(ack);
        if (again > 0) void this.#resend(link, fixes, ack.retryAfterMs);
      },
      () => {
        this.#waiting.delete(batch);
        // Kept, and sent again after the reconnect, or on this stream when it was the batch that was refused.
        if (this.#link === link) void this.#resend(link, fixes, RESEND_MS);
      },
    );
  }

  async #resend(link: DriverLink, fixes: readonly Fix[], afterMs: number): Promise<void> {
    await pause(Math.max(RESEND_MS, afterMs));
    const missed = fixes.filter(({ seq }) => this.#unacked.has(seq));
    if (this.#link === link && missed.length > 0) this.#transmit(link, missed);
  }

  /** Takes the verdicts in; the answer is how many fixes are to be sent again. */
  #acked({ verdicts }: Ack): number {
    let buffered = 0;
    let refused = 0;
    let limited = 0;
    for (const { seq, code } of verdicts) {
      const fix = this.#unacked.get(seq);
      if (!fix) continue;
      if (code === VerdictCode.BUFFERED) buffered++;
      else if (code === VerdictCode.RATE_LIMITED) limited++;
      else {
        this.#unacked.delete(seq);
        if (isDurable(code)) this.#options.onDurable(fix);
        else refused++;
      }
    }
    if (buffered > 0) this.#options.onBuffered(buffered);
    if (refused > 0) this.#options.onRefused(refused);
    return limited;
  }
}

function isDurable(code: VerdictCode): boolean {
  return code === VerdictCode.ACCEPTED || code === VerdictCode.DUPLICATE || code === VerdictCode.LATE;
}
