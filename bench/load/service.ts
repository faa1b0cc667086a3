import type { Role } from "../../internal/auth/principal.ts";

/** A running service that load can be put on, whatever it is made of: one process, or many. Disposing ends it. */
export interface Service extends AsyncDisposable {
  /** Base addresses of the edges (trips, live, history), at least one; each serves everything. */
  readonly edgeUrls: readonly string[];
  /** host:port of the gateways' gRPC ports, at least one; each takes every driver. */
  readonly gatewayAddresses: readonly string[];
  /** Base addresses of all processes, for /metrics and /readyz. */
  readonly nodeUrls: readonly string[];
  /** A token of the service's own keys, good for half a day unless said otherwise. */
  mint(role: Role, subject: string, ttlMs?: number): Promise<string>;
  /** CPU seconds (user and system) used so far, by role; `all` where one process is every role. */
  cpuSecondsByRole(): Readonly<Record<string, number>>;
}

/** One of several, from a number that may be larger than there are. */
export function inTurn<Item>(items: readonly Item[], index: number): Item {
  return items[index % items.length] as Item;
}
