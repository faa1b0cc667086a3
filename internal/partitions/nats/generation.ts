import { randomUUID } from "node:crypto";
import type { KV } from "@nats-io/kv";
import { isPresent, writeIf } from "../../nats/memory-bucket.ts";

/** Key of the nonce that is part of every other key. */
const GENERATION_KEY = "generation";

/** The bucket's nonce, made when there is none: a bucket that lost its content gets another one. */
export async function generationOf(bucket: KV): Promise<string> {
  const entry = await bucket.get(GENERATION_KEY);
  if (isPresent(entry)) return entry.string();
  const nonce = randomUUID().slice(0, 8);
  const result = await writeIf(bucket, GENERATION_KEY, nonce, 0);
  if (result.outcome === "written") return nonce;
  if (result.outcome === "unknown") throw result.cause;
  const winner = await bucket.get(GENERATION_KEY);
  if (!isPresent(winner)) throw new Error("the bucket's generation is gone again");
  return winner.string();
}
