import { grpcBatchTransport, grpcTransport } from "../clients.ts";
import { ingestConformance } from "../conformance.ts";

ingestConformance(grpcTransport);
ingestConformance(grpcBatchTransport);
