import { ALL_ROLES } from "../internal/app/roles.ts";
import { runService } from "../internal/app/run-service.ts";

await runService("bimride", ALL_ROLES);
