import type { Client, Host } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";

/** How long the nodes may take to agree on a change of the schema. */
const ANSWER_MS = 30_000;

/** Changes of the schema all go through the same node, where they come one after another also between two runs. */
export async function changeSchema(
  client: Pick<Client, "execute">,
  host: Host,
  statement: string,
): Promise<void> {
  const { info } = await client.execute(statement, [], { prepare: false, host, readTimeout: ANSWER_MS });
  // The driver waits for it and says so here; its types don't know.
  const { isSchemaInAgreement } = info as typeof info & { isSchemaInAgreement: boolean };
  if (!isSchemaInAgreement)
    throw new EngineError(
      "cassandra.contact_points",
      "the nodes do not agree on the schema: see that all are up, then run it again",
    );
}

/** Of the data centre's nodes the first by address: every run picks the same. */
export function firstHost({ hosts }: Pick<Client, "hosts">, dataCenter: string): Host {
  const up = hosts.values().filter((host) => host.datacenter === dataCenter && host.isUp());
  const [first] = up.sort((a, b) => (a.address < b.address ? -1 : 1));
  if (!first) throw new EngineError("cassandra.local_dc", `no node of ${dataCenter} is up`);
  return first;
}
