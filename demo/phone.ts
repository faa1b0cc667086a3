import { type Ack, VerdictCode } from "../gen/bimride/tracking/v1/ingest_pb.ts";
import type { Fix } from "../internal/core/fix.ts";
import type { ClientTrust } from "../internal/core/tls.ts";
import { DriverLink } from "./driver-link.ts";
import { locateGateways } from "./locate-gateways.ts";

/** Fixes a phone keeps while nothing is acked; beyond, the oldest are lost, as on a real phone. */
const MAX_KEPT = 5_000;
const MAX_PER_BATCH = 500;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 15_000;
/** A batch that got no verdicts is sent again after this while the stream stays. */
const RESEND_MS = 2_000;

export type PhoneOptions = {
  /** host:port of a gateway; with `locate` the one to fall back to. */
  address: string;
  /** Origin of any node: it is asked which gateway to use. */
  locate?: string;
  /** What to believe of a server with TLS, asked anew for each connection; absent without TLS. */
  trust?(): ClientTrust;
  token(): Promise<string>;
  sessionId: string;
  now(): number;
  /** 0…1, for the jitter between tries. */
  random(): number;
};

/**
 * The driver app of the simulation: keeps each fix until it is answered for, reconnects with full jitter, resends what
 * was not acked newest first.
 */
export class Phone {
  readonly #options: PhoneOptions;
  readonly #kept = new Map<number, Fix>();
  #link: DriverLink | undefined;
  /** As the last link was told. */
  #region = "";
  #connecting = false;
  #stopped = false;
  #online = true;
  #tries = 0;
  #retry: NodeJS.Timeout | undefined;
  /** Gateways to try before placement is asked again. */
  #gateways: string[] = [];
  /** Fixes that are durable or were refused for good. */
  acked = 0;

  constructor(options: PhoneOptions) {
    this.#options = options;
  }

  /** Hands fixes over, in the order in which they are to be sent. */
  send(fixes: readonly Fix[]): void {
    for (const fix of fixes) this.#kept.set(fix.seq, fix);
    while (this.#kept.size > MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    if (this.#link) this.#transmit(this.#link, fixes);
    else this.#connectSoon(0);
  }

  /** The phone lost or got back its network. */
  setOnline(online: boolean): void {
    if (online === this.#online) return;
    this.#online = online;
    if (online) this.#connectSoon(0);
    else {
      this.#link?.cut();
      this.#link = undefined;
    }
  }

  /** Says goodbye; nothing is sent any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const link = this.#link;
    this.#link = undefined;
    link?.close();
    await link?.closed;
  }

  #connectSoon(delayMs: number): void {
    if (this.#connecting || this.#link || this.#stopped || !this.#online) return;
    this.#connecting = true;
    this.#retry = setTimeout(() => void this.#connect(), delayMs);
    this.#retry.unref();
  }

  async #connect(): Promise<void> {
    const { sessionId, now } = this.#options;
    const token = await this.#options.token();
    const address = await this.#address(token);
    const { trust } = this.#options;
    const link = new DriverLink({
      ...{ address, token, sessionId, now, lastRegion: this.#region },
      ...(trust ? { trust: trust() } : {}),
      onLaterAck: (ack) => this.#acked(ack),
    });
    void link.closed.then(() => this.#lost(link));
    try {
      await link.hello(this.#newest());
    } catch {
      return; // `closed` has the same error and leads to the next try
    } finally {
      this.#connecting = false;
    }
    if (this.#stopped || !this.#online) return link.cut();
    this.#link = link;
    this.#tries = 0;
    this.#gateways = [];
    const newestFirst = [...this.#kept.values()].sort((a, b) => b.seq - a.seq);
    for (let i = 0; i < newestFirst.length; i += MAX_PER_BATCH) {
      this.#transmit(link, newestFirst.slice(i, i + MAX_PER_BATCH));
    }
  }

  /** Where to connect now: each gateway that placement names is tried once, then the one that is known anyway. */
  async #address(token: string): Promise<string> {
    const { address, locate, trust } = this.#options;
    if (locate === undefined) return address;
    if (this.#gateways.length === 0) {
      const node = { httpUrl: locate, trust: trust?.() };
      const named = await locateGateways(node, token, this.#newest(), this.#region);
      this.#gateways = [...new Set([...named, address])];
    }
    return this.#gateways.shift()!;
  }

  /** Where the phone was last, as far as it has that still to send. */
  #newest(): Fix | undefined {
    let newest: Fix | undefined;
    for (const fix of this.#kept.values()) if (!newest || fix.seq > newest.seq) newest = fix;
    return newest;
  }

  #lost(link: DriverLink): void {
    this.#region = link.region;
    if (this.#link === link) this.#link = undefined;
    this.#connecting = false;
    const most = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#tries++);
    this.#connectSoon(this.#options.random() * most);
  }

  #transmit(link: DriverLink, fixes: readonly Fix[]): void {
    if (fixes.length === 0) return;
    link.send(fixes).then(
      (ack) => this.#acked(ack),
      () => {
        // Kept, and sent again after the reconnect, or on this stream when it was the batch that was refused.
        if (this.#link === link) setTimeout(() => this.#resend(link, fixes), RESEND_MS).unref();
      },
    );
  }

  #resend(link: DriverLink, fixes: readonly Fix[]): void {
    if (this.#link !== link) return;
    this.#transmit(
      link,
      fixes.filter(({ seq }) => this.#kept.has(seq)),
    );
  }

  #acked({ verdicts }: Ack): void {
    for (const { seq, code } of verdicts) {
      if (code === VerdictCode.BUFFERED || code === VerdictCode.RATE_LIMITED) continue;
      if (this.#kept.delete(seq)) this.acked++;
    }
  }
}
