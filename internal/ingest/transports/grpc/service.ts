import type { ServiceDefinition, UntypedHandleCall } from "@grpc/grpc-js";
import { IngestService } from "../../../../gen/bimride/tracking/v1/ingest_pb.ts";

/** Full name of the service, as health checks and reflection know it. */
export const INGEST_SERVICE_NAME = IngestService.typeName;

const asIs = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * IngestService for grpc-js, made from the generated descriptors. Messages pass as bytes: what a deserializer throws,
 * grpc-js answers with INTERNAL, so the handlers decode.
 */
export const ingestServiceDefinition: ServiceDefinition<Record<string, UntypedHandleCall>> =
  Object.fromEntries(
    IngestService.methods.map((method) => [
      method.localName,
      {
        path: `/${IngestService.typeName}/${method.name}`,
        originalName: method.localName,
        requestStream: method.methodKind === "bidi_streaming" || method.methodKind === "client_streaming",
        responseStream: method.methodKind === "bidi_streaming" || method.methodKind === "server_streaming",
        requestSerialize: asIs,
        requestDeserialize: (bytes: Buffer) => bytes,
        responseSerialize: asIs,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    ]),
  );
