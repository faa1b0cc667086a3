/** How to reach the Redis server or cluster of a region. */
export type RedisOptions = {
  /** One server, or some of a cluster's nodes (the others are found through them). */
  nodes: { host: string; port: number }[];
  /** True for a Redis Cluster. */
  cluster: boolean;
  user?: string;
  password?: string;
  /** Present for TLS. */
  tls?: {
    /** The authority that signed the server's certificate, PEM; the system's own when absent. */
    ca?: string;
  };
};

/** The nodes as `host:port`, for messages. */
export function nodesText(options: RedisOptions): string {
  return options.nodes.map(({ host, port }) => `${host}:${port}`).join(", ");
}
