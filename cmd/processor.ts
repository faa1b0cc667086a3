import { runService } from "../internal/app/run-service.ts";

await runService("processor", new Set(["processor"]));
