import type { GatewayAddress, LocateGateways, Place } from "./locate.ts";
import type { DriverTransport } from "./transport.ts";

export type GatewaysOptions = {
  /** The gateway that is known anyway. */
  known: GatewayAddress;
  /** Ways to a gateway, best first; none where it has no fitting address. */
  transportsTo(gateway: GatewayAddress): readonly DriverTransport[];
  locate: LocateGateways | undefined;
  place(): Place | undefined;
  region(): string;
};

/** Which gateway to go to: each that placement names is tried once, then the one that is known anyway, then it is asked again. */
export class Gateways {
  readonly #options: GatewaysOptions;
  #toTry: (readonly DriverTransport[])[] = [];

  constructor(options: GatewaysOptions) {
    this.#options = options;
  }

  /** Ways to the gateway to use now. */
  async rungs(token: string): Promise<readonly DriverTransport[]> {
    const { known, locate, place, region, transportsTo } = this.#options;
    if (this.#toTry.length === 0) {
      const named = locate ? await locate(token, place(), region()) : [];
      this.#toTry = [...named, known].map(transportsTo).filter((rungs) => rungs.length > 0);
    }
    return this.#toTry[0]!;
  }

  /** It did not answer: the next one. */
  failed(): void {
    this.#toTry.shift();
  }

  /** It served and is gone: where to go is asked anew. */
  served(): void {
    this.#toTry = [];
  }
}
