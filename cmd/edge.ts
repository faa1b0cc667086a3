import { runService } from "../internal/app/run-service.ts";

await runService("edge", new Set(["edge"]));
