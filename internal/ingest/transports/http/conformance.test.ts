import { httpJsonTransport, httpProtobufTransport } from "../clients.ts";
import { ingestConformance } from "../conformance.ts";

ingestConformance(httpProtobufTransport);
ingestConformance(httpJsonTransport);
