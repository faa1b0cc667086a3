import { runDrive } from "../bench/drive/run.ts";

process.exitCode = await runDrive(process.argv.slice(2));
