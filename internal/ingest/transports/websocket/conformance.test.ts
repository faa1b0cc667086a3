import { webSocketJsonTransport, webSocketProtobufTransport } from "../clients.ts";
import { ingestConformance } from "../conformance.ts";

ingestConformance(webSocketProtobufTransport);
ingestConformance(webSocketJsonTransport);
