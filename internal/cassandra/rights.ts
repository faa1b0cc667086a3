import { type Client, errors, types } from "cassandra-driver";
import { EngineError } from "../core/engine-error.ts";
import type { CassandraOptions } from "./options.ts";

/**
 * Rejects with an EngineError when the user may only read the keyspace. Asks with a statement that can't be carried out,
 * as it names no row: a server looks at the rights first, so nothing is written and no other node is asked. Whatever else
 * it says is no answer, and what comes later will tell.
 */
export async function checkMayWrite(
  client: Pick<Client, "execute">,
  { keyspace, contactPoints }: CassandraOptions,
): Promise<void> {
  try {
    await client.execute(`DELETE FROM ${keyspace}.trip_final WHERE trip_id = ?`, [null], { prepare: false });
  } catch (cause) {
    if (!(cause instanceof errors.ResponseError) || cause.code !== types.responseErrorCodes.unauthorized)
      return;
    throw new EngineError(
      "cassandra.user",
      `may not write to the keyspace ${keyspace} at ${contactPoints.join(", ")}: it needs SELECT and MODIFY`,
      { cause },
    );
  }
}
