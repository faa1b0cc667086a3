import { once } from "node:events";
import { connect } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { grpcTransport } from "../clients.ts";
import { helloMessage, nth } from "../conformance-rig.ts";
import { startTestGateway, type TestGateway } from "../kit.ts";
import { INGEST_SERVICE_NAME } from "./service.ts";

let gateway: TestGateway;
let client: Client;

beforeAll(async () => {
  gateway = await startTestGateway();
  client = new Client(`127.0.0.1:${gateway.grpcPort}`, credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await gateway[Symbol.asyncDispose]();
});

const asIs = (bytes: Buffer) => bytes;

function unary(path: string, request: Buffer, of = client): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    of.makeUnaryRequest(path, asIs, asIs, request, (error, answer) =>
      error || !answer ? reject(error) : resolve(answer),
    );
  });
}

test("health says SERVING, for the server and for the service, and NOT_SERVING when told", async () => {
  const check = async (service: string, of = client) => {
    const request = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
    const answer = await unary("/grpc.health.v1.Health/Check", service ? request : Buffer.alloc(0), of);
    return answer[1];
  };
  expect([await check(""), await check(INGEST_SERVICE_NAME)]).toEqual([1, 1]);
  await using other = await gateway.ingest.startGrpc({ host: "127.0.0.1", port: 0 });
  other.setServing(false);
  const otherClient = new Client(`127.0.0.1:${other.port}`, credentials.createInsecure());
  expect(await check(INGEST_SERVICE_NAME, otherClient)).toBe(2);
  otherClient.close();
  await expect(check("nobody")).rejects.toMatchObject({ code: status.NOT_FOUND });
});

/** Fields of ServerReflectionRequest and ServerReflectionResponse of grpc.reflection.v1. */
const LIST_SERVICES = 7;
const FILE_CONTAINING_SYMBOL = 4;
const FILE_DESCRIPTOR_RESPONSE = 4;
const LIST_SERVICES_RESPONSE = 6;

/** The values of a length-delimited field of a message. */
function fieldsOf(bytes: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const values: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === wanted) values.push(reader.bytes());
    else reader.skip(wireType, field);
  }
  return values;
}

test("reflection lists the service and gives the files that a symbol needs, complete", async () => {
  const answers: Buffer[] = [];
  const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  const call = client.makeBidiStreamRequest(path, asIs, asIs);
  call.on("data", (answer: Buffer) => answers.push(answer));
  const ask = (field: number, value: string) =>
    call.write(Buffer.from(new BinaryWriter().tag(field, WireType.LengthDelimited).string(value).finish()));
  ask(LIST_SERVICES, "*");
  ask(FILE_CONTAINING_SYMBOL, `${INGEST_SERVICE_NAME}.Publish`);
  ask(FILE_CONTAINING_SYMBOL, "bimride.tracking.v1.Fix");
  await vi.waitFor(() => expect(answers).toHaveLength(3), 10_000);
  call.end();
  const [list, publish, fix] = answers as [Buffer, Buffer, Buffer];
  const services = fieldsOf(list, LIST_SERVICES_RESPONSE).flatMap((response) => fieldsOf(response, 1));
  expect(services.map((service) => String(Buffer.from(fieldsOf(service, 1)[0] ?? [])))).toEqual([
    INGEST_SERVICE_NAME,
  ]);
  const filesOf = (answer: Buffer) =>
    fieldsOf(answer, FILE_DESCRIPTOR_RESPONSE)
      .flatMap((response) => fieldsOf(response, 1))
      .map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  const names = filesOf(publish).map(({ name }) => name);
  expect(names[0]).toBe("bimride/tracking/v1/ingest.proto");
  for (const file of filesOf(publish)) for (const needed of file.dependency) expect(names).toContain(needed);
  expect(filesOf(fix)).toHaveLength(1);
});

test("a drain ends streams, connections and the listener within its bound, and tells them though the process stands still meanwhile", async () => {
  const other = await gateway.ingest.startGrpc({ host: "127.0.0.1", port: 0 });
  const stream = grpcTransport.connect(
    { ...gateway, grpcPort: other.port },
    await gateway.token("driver", "driver-1"),
  );
  stream.send(helloMessage("session-1"));
  await nth(stream, "welcome");
  const startMs = performance.now();
  const flush = vi.spyOn(gateway.ingest, "flush").mockImplementation(async () => {
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500));
  });
  await other.drain({ reconnectWithinMs: 10, forceAfterMs: 50 });
  flush.mockRestore();
  expect(performance.now() - startMs).toBeLessThan(15_000);
  await vi.waitFor(() => expect(stream.ended).toBe("DRAINING"), 20_000);
  const late = grpcTransport.connect({ ...gateway, grpcPort: other.port }, undefined);
  await vi.waitFor(() => expect(late.ended).toMatch(/gRPC status 14/), 10_000);
});

test("a drain cuts connections whose clients neither speak nor read nor close", async () => {
  const other = await gateway.ingest.startGrpc({ host: "127.0.0.1", port: 0 });
  const deaf = connect({ host: "127.0.0.1", port: other.port, allowHalfOpen: true });
  deaf.on("error", () => {}); // being cut is what is tested
  await once(deaf, "readable");
  await other.drain({ reconnectWithinMs: 10, forceAfterMs: 50 });
  // A socket that was only half closed by the server would take these bytes for ever.
  await vi.waitFor(() => {
    deaf.write("x");
    expect(deaf.destroyed).toBe(true);
  }, 20_000);
});
