/** How to reach the NATS servers of one region. Plain values: files are read by whoever builds these. */
export type NatsOptions = {
  /** `host:port` of one or more servers of the same cluster; further ones are learned from these. */
  servers: string[];
  user?: string;
  password?: string;
  /** Content of a credentials file (JWT and seed). Wins over user and password. */
  credentials?: Uint8Array;
  /** Present: only encrypted connections. `ca`: PEM of the authority to trust instead of the machine's own. */
  tls?: { ca?: string };
  /** Shown by the server's monitoring, e.g. `bimride-gateway`. */
  name: string;
};
