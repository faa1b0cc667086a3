/** What is fetched, exactly. Raise a version here and run `npm run engines` again. */
export const PINNED = {
  natsServer: { module: "github.com/nats-io/nats-server/v2", version: "2.15.2", atLeast: "2.12.0" },
  toxiproxy: { module: "github.com/Shopify/toxiproxy/v2", package: "/cmd/server", version: "2.5.0" },
  grpcurl: { module: "github.com/fullstorydev/grpcurl", package: "/cmd/grpcurl", version: "1.9.4" },
  redis: { atLeast: "7.0.0" },
  cassandra: { group: "org.apache.cassandra", artifact: "cassandra-all", version: "5.0.6" },
  /** Cassandra 5.0 runs on these only. */
  java: { majors: [11, 17] },
} as const;
