import { ingestConformance } from "../conformance.ts";
import { mqttJsonTransport, mqttProtobufTransport } from "../mqtt-clients.ts";

ingestConformance(mqttJsonTransport);
ingestConformance(mqttProtobufTransport);
