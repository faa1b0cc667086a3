/** How to reach the Cassandra (4.0 or newer) or ScyllaDB of one region. */
export type CassandraOptions = {
  /** Some of its nodes, `host:port`; the others are found through them. */
  contactPoints: string[];
  /** The data centre of this region; only its nodes are asked. */
  localDataCenter: string;
  /** 1 to 48 of a-z 0-9 _, beginning with a letter. Made by {@link migrate}. */
  keyspace: string;
  user?: string;
  password?: string;
  /** With TLS a node's certificate must be of this authority (PEM; the system's without) and name its address. */
  tls?: { ca?: string };
};
