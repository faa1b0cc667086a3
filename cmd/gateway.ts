import { runService } from "../internal/app/run-service.ts";

await runService("gateway", new Set(["gateway"]));
