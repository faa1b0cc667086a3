import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { file_bimride_tracking_v1_ingest } from "../../../../gen/bimride/tracking/v1/ingest_pb.ts";
import { INGEST_SERVICE_NAME } from "./service.ts";

/** Serves the descriptors of IngestService to clients such as grpcurl (v1 and v1alpha of server reflection). */
export function addReflection(server: Server): void {
  const files = withImports(file_bimride_tracking_v1_ingest);
  const fileDescriptorProtos = files.map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  // The reflection service reads nothing of a package definition but the descriptors in its entries.
  const definition = { [file_bimride_tracking_v1_ingest.name]: { fileDescriptorProtos } };
  new ReflectionService(
    definition as unknown as ConstructorParameters<typeof ReflectionService>[0],
    // The imports bring services along that this port does not serve.
    { services: [INGEST_SERVICE_NAME] },
  ).addToServer(server);
}

/** The file after all that it imports. */
function withImports(file: DescFile, seen: DescFile[] = []): DescFile[] {
  for (const dependency of file.dependencies) withImports(dependency, seen);
  if (!seen.includes(file)) seen.push(file);
  return seen;
}
