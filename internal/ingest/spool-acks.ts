import type { Ack } from "./messages.ts";

/** Acks without a batch (id 0) for fixes that were BUFFERED and are in the log now; at most so many verdicts in each. Pure. */
export function drainedAcks(
  seqs: readonly number[],
  { assignmentVersion }: { assignmentVersion: number },
  atMs: number,
  maxVerdicts: number,
): Ack[] {
  const acks: Ack[] = [];
  for (let start = 0; start < seqs.length; start += maxVerdicts) {
    const verdicts = seqs
      .slice(start, start + maxVerdicts)
      .map((seq) => ({ seq, code: "ACCEPTED", reason: "", field: "" }) as const);
    acks.push({ batchId: 0, verdicts, receivedAtMs: atMs, retryAfterMs: 0, assignmentVersion });
  }
  return acks;
}
