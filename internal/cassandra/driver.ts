import { Client, policies, types } from "cassandra-driver";
import type { CassandraOptions } from "./options.ts";

/** How long one node may take to accept a connection. */
const CONNECT_MS = 4_000;
/** How long one node may take to answer; less than the 10 s after which a client of ours gives up. */
const ANSWER_MS = 5_000;
/** Waits between attempts to come back to a node that went away grow from the first to the second. */
const RECONNECT_MS = { first: 250, longest: 4_000 } as const;
/** Requests on one connection at once; the link itself lets through fewer. */
const MAX_REQUESTS_PER_CONNECTION = 2_048;
/** Connections to each node of the data centre. */
const CONNECTIONS_PER_NODE = 2;

/**
 * The driver's client as every part uses it: LOCAL_QUORUM, prepared statements, idempotent unless said otherwise, and
 * a node that went away is tried for ever. Not connected yet.
 * @param keyspace what names in statements are looked up in; without, they must be qualified
 */
export function newClient(options: CassandraOptions, keyspace: string | undefined): Client {
  const { contactPoints, localDataCenter, user, password, tls } = options;
  return new Client({
    contactPoints,
    localDataCenter,
    keyspace,
    applicationName: "bimride",
    ...(user === undefined ? {} : { credentials: { username: user, password: password ?? "" } }),
    ...(tls ? { sslOptions: { rejectUnauthorized: true, ...(tls.ca ? { ca: [tls.ca] } : {}) } } : {}),
    policies: {
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(
        RECONNECT_MS.first,
        RECONNECT_MS.longest,
      ),
    },
    pooling: {
      coreConnectionsPerHost: { [types.distance.local]: CONNECTIONS_PER_NODE },
      maxRequestsPerConnection: MAX_REQUESTS_PER_CONNECTION,
      heartBeatInterval: 10_000,
    },
    queryOptions: {
      consistency: types.consistencies.localQuorum,
      serialConsistency: types.consistencies.localSerial,
      prepare: true,
      isIdempotent: true,
    },
    socketOptions: { connectTimeout: CONNECT_MS, readTimeout: ANSWER_MS },
    monitorReporting: { enabled: false },
  });
}
