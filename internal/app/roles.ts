/** The parts that a process may run. */
export type Role = "gateway" | "processor" | "edge";

/** What a role needs to know to be run, for `bimctl roles` and docs/OPERATIONS.md. */
export type RoleFacts = {
  does: string;
  listens: string;
  /** Engines that it works with. */
  uses: string;
  /** What it keeps on its own disk. */
  keeps: string;
  /** What happens when one more runs. */
  scales: string;
};

/** THE TABLE of roles: any number of each may run; `npm start` runs all of them in one process. */
export const ROLES: Readonly<Record<Role, RoleFacts>> = {
  gateway: {
    does: "takes drivers' positions in and acks them",
    listens:
      "grpc.port (IngestService), mqtt.port (MQTT 3.1.1), http.port (POST /v1/fixes, WebSocket /v1/ingest, MQTT over WebSocket /mqtt, GET /v1/placement, probes, metrics)",
    uses: "log, bus, trips, nodes",
    keeps: "the spool of what it buffered while the log was away (data.dir)",
    scales: "any gateway serves any driver; placement spreads them",
  },
  processor: {
    does: "turns a region's log into live state, history and settlements",
    listens: "http.port (probes, metrics)",
    uses: "log, leases, snapshots, bus, latest, history, trips, nodes",
    keeps: "nothing",
    scales: "the region's partitions spread evenly over its processors",
  },
  edge: {
    does: "shows trips to those who may see them; trips, history, pages",
    listens: "http.port (Connect, gRPC-Web, REST, WebSocket /v1/live, pages, probes, metrics)",
    uses: "bus, latest, history, trips, log (trip changes), nodes",
    keeps: "nothing",
    scales: "any edge serves any viewer; placement lets the viewers of a trip meet on one",
  },
};

/** Every role: one process that is all of them. */
export const ALL_ROLES: ReadonlySet<Role> = new Set(Object.keys(ROLES) as Role[]);

/** The table as text. */
export function rolesText(): string {
  const line = (name: string, text: string) => `  ${name.padEnd(8)}${text}`;
  return Object.entries(ROLES)
    .map(([role, { does, listens, uses, keeps, scales }]) =>
      [
        `${role}: ${does}`,
        line("listens", listens),
        line("uses", uses),
        line("keeps", keeps),
        line("scales", scales),
      ].join("\n"),
    )
    .join("\n\n");
}
