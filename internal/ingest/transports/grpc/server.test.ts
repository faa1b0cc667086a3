import { createRequire } from "node:module";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, loadPackageDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
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

function unary(path: string, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, asIs, asIs, request, (error, answer) =>
      error || !answer ? reject(error) : resolve(answer),
    );
  });
}

test("health says SERVING, for the server and for the service, and NOT_SERVING when told", async () => {
  const check = async (service: string) => {
    const request = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
    const answer = await unary("/grpc.health.v1.Health/Check", service ? request : Buffer.alloc(0));
    return answer[1];
  };
  expect([await check(""), await check(INGEST_SERVICE_NAME)]).toEqual([1, 1]);
  await expect(check("nobody")).rejects.toMatchObject({ code: status.NOT_FOUND });
});

type Reflection = {
  ServerReflectionInfo(): {
    on(event: "data", listener: (answer: ReflectionAnswer) => void): void;
    on(event: "error", listener: (error: ServiceError) => void): void;
    write(request: Record<string, string>): void;
    end(): void;
  };
};
type ReflectionAnswer = {
  listServicesResponse?: { service: { name: string }[] };
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
};

test("reflection lists the service and gives the files that a symbol needs, complete", async () => {
  const definition = loadSync(
    createRequire(import.meta.url).resolve(
      "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto",
    ),
    {
      oneofs: true,
    },
  );
  const constructors = loadPackageDefinition(definition) as unknown as {
    grpc: { reflection: { v1: { ServerReflection: new (...args: unknown[]) => Reflection & Client } } };
  };
  const reflection = new constructors.grpc.reflection.v1.ServerReflection(
    `127.0.0.1:${gateway.grpcPort}`,
    credentials.createInsecure(),
  );
  const answers: ReflectionAnswer[] = [];
  const call = reflection.ServerReflectionInfo();
  call.on("data", (answer) => answers.push(answer));
  call.on("error", (error) => {
    throw error;
  });
  call.write({ listServices: "*" });
  call.write({ fileContainingSymbol: `${INGEST_SERVICE_NAME}.Publish` });
  call.write({ fileContainingSymbol: "bimride.tracking.v1.Fix" });
  await vi.waitFor(() => expect(answers).toHaveLength(3), 10_000);
  call.end();
  reflection.close();
  expect(answers[0]?.listServicesResponse?.service.map(({ name }) => name)).toContain(INGEST_SERVICE_NAME);
  const files = answers[1]?.fileDescriptorResponse?.fileDescriptorProto.map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  );
  const names = files?.map(({ name }) => name) ?? [];
  expect(names[0]).toBe("bimride/tracking/v1/ingest.proto");
  for (const file of files ?? []) for (const needed of file.dependency) expect(names).toContain(needed);
  expect(answers[2]?.fileDescriptorResponse?.fileDescriptorProto).toHaveLength(1);
});

test("a drain ends streams, connections and the listener within its bound", async () => {
  const other = await gateway.ingest.startGrpc({ host: "127.0.0.1", port: 0 });
  const stream = grpcTransport.connect(
    { ...gateway, grpcPort: other.port },
    await gateway.token("driver", "driver-1"),
  );
  stream.send(helloMessage("session-1"));
  await nth(stream, "welcome");
  const startMs = performance.now();
  await other.drain({ reconnectWithinMs: 10, forceAfterMs: 50 });
  expect(performance.now() - startMs).toBeLessThan(5_000);
  await vi.waitFor(() => expect(stream.ended).toBe("DRAINING"));
  const late = grpcTransport.connect({ ...gateway, grpcPort: other.port }, undefined);
  await vi.waitFor(() => expect(late.ended).toMatch(/gRPC status 14/), 10_000);
});
