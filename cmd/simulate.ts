import { runSimulate } from "../demo/run-simulate.ts";

process.exitCode = await runSimulate(process.argv.slice(2));
