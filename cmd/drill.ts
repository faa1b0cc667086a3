import { runDrills } from "../drills/run.ts";

process.exitCode = await runDrills(process.argv.slice(2));
