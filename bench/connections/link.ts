import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FixSource } from "../../gen/bimride/tracking/v1/fix_pb.ts";
import {
  type Ack,
  PublishRequestSchema,
  PublishResponseSchema,
  VerdictCode,
} from "../../gen/bimride/tracking/v1/ingest_pb.ts";

/** What a link tells its client. */
export type LinkEvents = {
  /** The server welcomed the session, or sent the first snapshot: the link stands. */
  opened(): void;
  /** These fixes are durable. */
  acked(seqs: number[]): void;
  /** The server, or the answer to our own beat, showed that the connection lives. */
  beat(): void;
  /** The connection is gone, for whatever reason. Called once. */
  closed(): void;
};

/** One connection, as light as it can be: many thousands are in one process. */
export type Link = {
  /** Sends fixes; of no use on a viewer's link. */
  send(seqs: readonly number[]): void;
  close(): void;
};

/** Where and as whom. @property id of the party; @property tripId to watch, for viewers */
export type LinkTarget = { address: string; id: string; token: string; tripId: string };
export type OpenLink = (target: LinkTarget, events: LinkEvents) => Link;

/** The opening message of a driver's session. */
export function helloBytes(id: string): Uint8Array {
  const value = { sessionId: sessionIdOf(id), deviceTimeMs: BigInt(Date.now()) };
  return toBinary(PublishRequestSchema, create(PublishRequestSchema, { message: { case: "hello", value } }));
}

export function sessionIdOf(id: string): string {
  return `session-${id}`;
}

/** Fixes of a standing car; the seq is all that tells them apart. */
export function fixesBytes(seqs: readonly number[]): Uint8Array {
  const now = BigInt(Date.now());
  const fixes = seqs.map((seq) => ({
    ...{ seq, capturedAtMs: now, source: FixSource.GNSS, accuracyM: 5 },
    position: { latitudeDeg: 57.7, longitudeDeg: 11.97 },
  }));
  const value = { fixes, batchId: 1, deviceTimeMs: now };
  return toBinary(PublishRequestSchema, create(PublishRequestSchema, { message: { case: "fixes", value } }));
}

/** Reads an answer of the ingest stream and tells what it says. */
export function heard(bytes: Uint8Array, events: LinkEvents): void {
  const { message } = fromBinary(PublishResponseSchema, bytes);
  if (message.case === "welcome") events.opened();
  if (message.case === "ack") events.acked(durableOf(message.value));
}

function durableOf({ verdicts }: Ack): number[] {
  const isDurable = (code: VerdictCode) =>
    code === VerdictCode.ACCEPTED || code === VerdictCode.DUPLICATE || code === VerdictCode.LATE;
  return verdicts.filter(({ code }) => isDurable(code)).map(({ seq }) => seq);
}
