import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, vi } from "vitest";
import type { Fix, FixSchema } from "../../../gen/bimride/tracking/v1/fix_pb.ts";
import { PublishRequestSchema, VerdictCode } from "../../../gen/bimride/tracking/v1/ingest_pb.ts";
import type { ErrorCode } from "../../core/errors.ts";
import type { Answer, IngestClient, IngestTransport } from "./clients.ts";
import { startTestGateway, type TestGateway } from "./kit.ts";

export type FixInit = Exclude<MessageInitShape<typeof FixSchema>, Fix>;
type Ack = Extract<Answer, { case: "ack" }>["value"];

/** One good fix. */
export function goodFix(seq: number, capturedAtMs = Date.now()): FixInit {
  return {
    seq,
    capturedAtMs: BigInt(capturedAtMs),
    position: { latitudeDeg: 57.7 + (seq % 1_000) * 1e-5, longitudeDeg: 11.97 },
    accuracyM: 5,
    speedMps: 10,
    headingDeg: 90,
  };
}

/** Fixes as one message. */
export function fixesMessage(fixes: FixInit[], batchId = 1, deviceTimeMs = Date.now()) {
  const value = { fixes, batchId, deviceTimeMs: BigInt(deviceTimeMs) };
  return create(PublishRequestSchema, { message: { case: "fixes", value } });
}

/** The opening message. */
export function helloMessage(
  sessionId: string,
  party?: { kind: 1 | 2; id: string },
  deviceTimeMs = Date.now(),
) {
  const value = {
    sessionId,
    party,
    deviceId: "phone",
    appVersion: "1.0",
    deviceTimeMs: BigInt(deviceTimeMs),
  };
  return create(PublishRequestSchema, { message: { case: "hello", value } });
}

/** All answers of a kind so far. */
export const cases = <C extends Answer["case"]>(client: IngestClient, kind: C) =>
  client.answers.filter((answer): answer is Extract<Answer, { case: C }> => answer.case === kind);

type Value<C> =
  Extract<Exclude<Answer, { case: undefined }>, { case: C }> extends { value: infer V } ? V : never;

/** Waits for the nth (from 1) answer of a kind. */
export async function nth<C extends NonNullable<Answer["case"]>>(
  client: IngestClient,
  kind: C,
  count = 1,
): Promise<Value<C>> {
  await vi.waitFor(() => expect(cases(client, kind).length).toBeGreaterThanOrEqual(count), 20_000);
  return (cases(client, kind)[count - 1] as { value: Value<C> }).value;
}

/** Verdicts as `seq → NAME`. */
export function verdictsOf(ack: Ack): Record<number, string> {
  return Object.fromEntries(ack.verdicts.map(({ seq, code }) => [seq, nameOf(code)]));
}

function nameOf(code: number): string {
  return Object.entries(VerdictCode).find(([, number]) => number === code)?.[0] ?? "?";
}

/** A gateway for the tests of one suite, and what they do with it over the transport. */
export type Rig = ReturnType<typeof useRig>;

/** Starts a gateway before the suite's tests and ends it after them. @param spools it has a spool */
export function useRig(transport: IngestTransport, spools = false) {
  let gateway: TestGateway;
  let drivers = 0;
  const clients: IngestClient[] = [];

  beforeAll(async () => {
    gateway = await startTestGateway({ spool: spools });
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await gateway[Symbol.asyncDispose]();
  });

  const connect = (token: string | undefined) => {
    const client = transport.connect(gateway, token);
    clients.push(client);
    return client;
  };

  /** A new driver's open session. */
  const open = async (sessionId = "session-1", driver = `driver-${++drivers}`, deviceTimeMs?: number) => {
    const token = await gateway.token("driver", driver);
    const client = connect(token);
    client.send(helloMessage(sessionId, undefined, deviceTimeMs));
    if (transport.streams) await nth(client, "welcome");
    return { client, driver, token };
  };

  const recordsOf = async (driver: string) =>
    (await gateway.records()).filter((record) => "party" in record && record.party.id === driver);

  const storedSeqs = async (driver: string) =>
    (await recordsOf(driver)).flatMap((record) =>
      record.kind === "fixBatch" ? record.fixes.map(({ seq }) => seq) : [],
    );

  /** How a call is refused: by the stream's end, or by the call's error. */
  const refusalOf = async (client: IngestClient) => {
    if (!transport.streams) return (await nth(client, "problem")).code;
    await vi.waitFor(() => expect(client.ended).toBeDefined(), 20_000);
    return client.ended;
  };

  const problems = (code: ErrorCode) =>
    gateway.metric("bimride_ingest_problems_total", { code, transport: transport.label });

  return {
    /** Only within tests. */
    get gateway() {
      return gateway;
    },
    ...{ connect, open, recordsOf, storedSeqs, refusalOf, problems },
  };
}
